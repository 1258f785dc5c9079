package engine

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
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// preflightTimeout is for one fetch. Let's Encrypt itself waits ten seconds.
const preflightTimeout = 5 * time.Second

// acmePort is where a CA fetches (RFC 8555, section 8.3), whatever port nginx has behind a router.
const acmePort = 80

// errWrongAnswer is in the chain when somebody answered, and it was not this host's nginx.
var errWrongAnswer = errors.New("wrong answer")

// preflight fetches a token as the CA will, and so finds out what is wrong without spending one of the few failures that a
// CA allows. It is sure of its case before it refuses:
//
//   - By loopback, at the own HTTP port, anything but the token is a failure: the same nginx answers the CA.
//   - By the name's own addresses, a name that does not exist, a refused connection or another server's answer is a
//     failure. No answer at all is none: behind many a router a host can't reach its own public address. Nor is a
//     redirect, which CAs follow.
//   - A CA on loopback or in a private network sees names in its own way (its DNS may be split, its port another), so
//     for such a one the loopback fetch is all that says anything.
func (e *Engine) preflight(ctx context.Context, domains []string) *obtainError {
	token := "preflight-" + plan.Hash([]byte(e.opts.NewID()))[:32]
	content := plan.Hash([]byte(token + e.opts.NewID()))
	name := filepath.Join(e.challengeDir(), token)
	if err := host.Create(e.fs, name, plan.File([]byte(content), 0o644), &plan.State{}, e.sync()); err != nil {
		return &obtainError{Reason: reasonUnknown, Sentence: "the webroot can't be written", Detail: oneLine(err.Error()), local: true}
	}
	defer func() { _ = e.fs.Remove(name) }()
	public := e.publicCA(ctx)
	failures := make([]*obtainError, len(domains))
	_ = host.ForEach(len(domains), 8, func(i int) error {
		p := probeHTTP{domain: domains[i], path: "/.well-known/acme-challenge/" + token, want: content}
		failures[i] = p.loopback(ctx, e.opts.HTTPPort)
		if failures[i] == nil && public {
			failures[i] = p.ownAddress(ctx, e.opts.LookupHost)
		}
		return nil
	})
	for _, f := range failures {
		if f != nil {
			f.local = true
			return f
		}
	}
	return nil
}

// publicCA reports whether the CA sees the names as the whole internet does.
func (e *Engine) publicCA(ctx context.Context) bool {
	u, err := url.Parse(e.opts.ACMEDirectoryURL)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	addrs, err := e.opts.LookupHost(ctx, u.Hostname())
	if err != nil {
		return false // certbot will say that it can't be reached
	}
	for _, a := range addrs {
		if ip, err := netip.ParseAddr(a); err != nil || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
			return false
		}
	}
	return true
}

// A probeHTTP asks for one token under one name.
type probeHTTP struct{ domain, path, want string }

func (p probeHTTP) loopback(ctx context.Context, port int) *obtainError {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	err := p.fetch(ctx, address)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errWrongAnswer):
		return &obtainError{
			Reason: reasonUnauthorized, Detail: err.Error(),
			Sentence: fmt.Sprintf("nginx at %s does not answer challenges for %s from the webroot: its workers must be able to enter every folder above it, and no other site may serve the name", address, p.domain),
		}
	default:
		return &obtainError{
			Reason: reasonConnection, Detail: plainError(err),
			Sentence: fmt.Sprintf("nginx does not answer for %s at %s", p.domain, address),
		}
	}
}

func (p probeHTTP) ownAddress(ctx context.Context, lookup func(context.Context, string) ([]string, error)) *obtainError {
	lookupCtx, cancel := context.WithTimeout(ctx, preflightTimeout)
	addrs, err := lookup(lookupCtx, p.domain)
	cancel()
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return &obtainError{Reason: reasonDNS, Sentence: p.domain + " does not exist in the DNS: add a record that points to this host"}
	}
	for _, addr := range addrs { // none after any other error: then the CA may know better
		address := net.JoinHostPort(addr, strconv.Itoa(acmePort))
		err := p.fetch(ctx, address)
		switch {
		case errors.Is(err, errWrongAnswer):
			return &obtainError{
				Reason: reasonUnauthorized, Detail: err.Error(),
				Sentence: fmt.Sprintf("%s leads to another server at %s: make its DNS records point to this host alone", p.domain, addr),
			}
		case isRefused(err):
			return &obtainError{
				Reason:   reasonConnection,
				Sentence: fmt.Sprintf("%s leads to %s, which refuses connections on port %d: make its DNS records point to this host", p.domain, addr, acmePort),
			}
		}
	}
	return nil
}

// fetch gets the token from an address under the probe's name. Nothing of the answer but its status is ever repeated.
func (p probeHTTP) fetch(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
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
	default:
		return fmt.Errorf("%w: status %d", errWrongAnswer, resp.StatusCode)
	}
}
