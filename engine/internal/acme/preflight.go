package acme

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// fetchTimeout is for one fetch. Let's Encrypt itself waits ten seconds.
const fetchTimeout = 5 * time.Second

// acmePort is where a CA fetches (RFC 8555, section 8.3), whatever port nginx has behind a router.
const acmePort = 80

// errWrongAnswer is in the chain when somebody answered, and it was not this host's nginx.
var errWrongAnswer = errors.New("wrong answer")

// errForbidden is such an answer that lets nobody in.
var errForbidden = fmt.Errorf("%w", errWrongAnswer)

// ChallengeDir is where answers to challenges are put below a webroot (RFC 8555, section 8.3).
func ChallengeDir(webroot string) string { return filepath.Join(webroot, challengePath) }

const challengePath = "/.well-known/acme-challenge/"

// A Preflight fetches a token as the CA will, and so finds out what is wrong without spending one of the few failures that
// a CA allows. All its fields are needed.
type Preflight struct {
	Webroot      string // whose [ChallengeDir] is there
	DirectoryURL string // the CA's
	Own          string // where this host's nginx is reached, host:port
	FS           host.FS
	Sync         bool          // the token has to survive a power cut
	NewID        func() string // from which tokens are made
	LookupHost   func(ctx context.Context, host string) ([]string, error)
}

// Check reports what would fail for one of the domains, or nil. It is sure of its case before it refuses:
//
//   - By loopback, at the own HTTP port, anything but the token is a failure: the same nginx answers the CA.
//   - By the name's own addresses, a name that does not exist, a refused connection or another server's answer is a
//     failure. No answer at all is none: behind many a router a host can't reach its own public address. Nor is a
//     redirect, which CAs follow.
//   - A CA on loopback or in a private network sees names in its own way (its DNS may be split, its port another), so
//     for such a one the loopback fetch is all that says anything.
func (p *Preflight) Check(ctx context.Context, domains []string) *Failure {
	token := "preflight-" + plan.Hash([]byte(p.NewID()))[:32]
	content := plan.Hash([]byte(token + p.NewID()))
	name := filepath.Join(ChallengeDir(p.Webroot), token)
	if err := host.Create(p.FS, name, plan.File([]byte(content), 0o644), &plan.State{}, p.Sync); err != nil {
		return &Failure{Reason: Unknown, Sentence: "the webroot can't be written", Detail: plain.Line(err.Error()), Local: true}
	}
	defer func() { _ = p.FS.Remove(name) }()
	public, closed := p.publicCA(ctx), p.closedFolder()
	failures := make([]*Failure, len(domains))
	_ = host.ForEach(len(domains), 8, func(i int) error {
		fetch := probe{domain: domains[i], path: challengePath + token, want: content, closed: closed}
		failures[i] = fetch.loopback(ctx, p.Own)
		if failures[i] == nil && public {
			failures[i] = fetch.ownAddress(ctx, p.LookupHost)
		}
		return nil
	})
	for _, f := range failures {
		if f != nil {
			f.Local = true
			return f
		}
	}
	return nil
}

// publicCA reports whether the CA sees the names as the whole internet does.
func (p *Preflight) publicCA(ctx context.Context) bool {
	u, err := url.Parse(p.DirectoryURL)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	addrs, err := p.LookupHost(ctx, u.Hostname())
	if err != nil {
		return false // the program will say that it can't be reached
	}
	for _, a := range addrs {
		if ip, err := netip.ParseAddr(a); err != nil || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}

// closedFolder returns the first folder, from the webroot's challenges upwards, that not everybody may enter: nginx's workers may
// be among those who may not.
func (p *Preflight) closedFolder() string {
	for at := ChallengeDir(p.Webroot); ; at = filepath.Dir(at) {
		if info, err := p.FS.Lstat(at); err == nil && info.IsDir() && info.Mode().Perm()&0o001 == 0 {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// A probe asks for one token under one name.
type probe struct {
	domain, path, want string
	closed             string // see [Preflight.closedFolder]
}

func (p probe) loopback(ctx context.Context, address string) *Failure {
	err := p.fetch(ctx, address)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errForbidden) && p.closed == "":
		return &Failure{
			Reason: Unauthorized, Detail: err.Error(),
			Sentence: fmt.Sprintf("nginx at %s does not let a CA in that asks for %s: rules of access (auth_basic, auth_request, deny) of another site, or of nginx.conf, must leave out %s", address, p.domain, challengePath),
		}
	case errors.Is(err, errWrongAnswer):
		return &Failure{
			Reason: Unauthorized, Detail: err.Error(),
			Sentence: fmt.Sprintf("nginx at %s does not answer challenges for %s from the webroot: its workers must be able to enter every folder above it, and no other site may serve the name", address, p.domain),
		}
	default:
		return &Failure{
			Reason: Connection, Detail: plain.NetError(err),
			Sentence: fmt.Sprintf("nginx does not answer for %s at %s", p.domain, address),
		}
	}
}

func (p probe) ownAddress(ctx context.Context, lookup func(context.Context, string) ([]string, error)) *Failure {
	lookupCtx, cancel := context.WithTimeout(ctx, fetchTimeout)
	addrs, err := lookup(lookupCtx, p.domain)
	cancel()
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		return &Failure{Reason: DNS, Sentence: p.domain + " does not exist in the DNS: add a record that points to this host"}
	}
	for _, addr := range addrs { // none after any other error: then the CA may know better
		address := net.JoinHostPort(addr, strconv.Itoa(acmePort))
		err := p.fetch(ctx, address)
		switch {
		case errors.Is(err, errWrongAnswer):
			return &Failure{
				Reason: Unauthorized, Detail: err.Error(),
				Sentence: fmt.Sprintf("%s leads to another server at %s: make its DNS records point to this host alone", p.domain, addr),
			}
		case errors.Is(err, syscall.ECONNREFUSED):
			return &Failure{
				Reason:   Connection,
				Sentence: fmt.Sprintf("%s leads to %s, which refuses connections on port %d: make its DNS records point to this host", p.domain, addr, acmePort),
			}
		}
	}
	return nil
}

// fetch gets the token from an address under the probe's name. Nothing of the answer but its status is ever repeated.
func (p probe) fetch(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+p.path, nil)
	if err != nil {
		return err
	}
	req.Host, req.Close = p.domain, true
	req.Header.Set("User-Agent", "proxy-manager")
	resp, err := (&http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}).RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	switch {
	case resp.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == p.want:
		return nil
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return nil // CAs follow it to where it leads
	case resp.StatusCode == http.StatusOK:
		return fmt.Errorf("%w: 200 with another text", errWrongAnswer)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: status %d", errForbidden, resp.StatusCode)
	default:
		return fmt.Errorf("%w: status %d", errWrongAnswer, resp.StatusCode)
	}
}
