package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
)

// What counts as served is what a client gets. nginx loads certificates when it loads its configuration, so one that was
// renewed on disk, by certbot's own timer say, is served only after a reload.

// A handshake is a name under which nginx must present a certificate.
type handshake struct {
	ServerName string `json:"server_name"`
	Fullchain  string `json:"fullchain"`
	// DependsOn is the step that gets the certificate, if one does.
	DependsOn string `json:"depends_on,omitempty"`

	route string // the address of what is served so
}

// certificate is the name of the certificate's resource.
func (h handshake) certificate() string {
	return certificateName(lineageAt(h.Fullchain))
}

// A verification is the spec of a verify step.
type verification struct {
	Handshakes []handshake `json:"handshakes,omitempty"`
	Asks       []ask       `json:"asks,omitempty"`
}

// verificationSpec encodes as much of it as is done.
func verificationSpec(hs []handshake, asks []ask) json.RawMessage {
	if len(hs)+len(asks) == 0 {
		return nil
	}
	b, _ := json.Marshal(verification{evenly(hs, maxHandshakes), evenly(asks, maxAsks)}) // texts: can't fail
	return b
}

// evenly returns at most so many of a list, from all over it.
func evenly[T any](list []T, most int) []T {
	n := len(list)
	if n <= most {
		return list
	}
	some := make([]T, most)
	for i := range some {
		some[i] = list[i*n/most]
	}
	return some
}

// maxHandshakes bounds how many are made at once: one costs both sides a millisecond, and new workers that present some of
// the new certificates have loaded all of them.
const maxHandshakes = 32

// handshakeTimeout is for one; the listener is on this host.
const handshakeTimeout = 5 * time.Second

// served returns the certificate that nginx presents for a name.
func (e *Engine) served(ctx context.Context, serverName string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	d := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		ServerName:         serverName,
		InsecureSkipVerify: true, //nolint:gosec // asks which certificate it is, not whether to trust it
	}}
	conn, err := d.DialContext(ctx, "tcp", e.own(e.opts.Nginx.HTTPSPort))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// presents checks one handshake, and remembers what it showed. It returns "" where nginx presents what is in the file.
func (e *Engine) presents(ctx context.Context, h handshake) (problem string) {
	l, err := e.lineage(e.observer(), lineageAt(h.Fullchain))
	if err != nil || l.Leaf == nil {
		return h.Fullchain + " can't be read"
	}
	cert, err := e.served(ctx, h.ServerName)
	if err != nil {
		return fmt.Sprintf("no certificate is presented for %s: %s", h.ServerName, plain.NetError(err))
	}
	e.mu.Lock()
	e.seen[h.Fullchain] = sighting{serial: certificate.Serial(cert), at: e.opts.Clock().UTC()}
	e.mu.Unlock()
	if cert.Equal(l.Leaf) {
		return ""
	}
	return fmt.Sprintf("%s is served with certificate %s, and %s holds %s", h.ServerName, certificate.Serial(cert), h.Fullchain, certificate.Serial(l.Leaf))
}

// A sighting is the certificate that a handshake showed.
type sighting struct {
	serial string
	at     time.Time
}

// verifyServed makes the handshakes of a verify step, but for those whose certificate could not be had.
func (a *application) verifyServed(ctx context.Context, shows []handshake) error {
	return host.ForEach(len(shows), 8, func(i int) error {
		if a.missing[shows[i].DependsOn] {
			return nil
		}
		problem := a.e.presents(ctx, shows[i])
		// New workers run and no old one accepts, so this is only for a listener that is slow to be seen.
		for deadline := time.Now().Add(2 * time.Second); problem != "" && time.Now().Before(deadline) && ctx.Err() == nil; {
			time.Sleep(20 * time.Millisecond)
			problem = a.e.presents(ctx, shows[i])
		}
		if problem != "" {
			return failf(NginxReloadFailed, nil, "nginx was reloaded, but %s", problem).with("nginx_output", problem)
		}
		return nil
	})
}

// CheckServed compares what nginx serves with the certificates on disk and returns the names of those that it has yet to
// load. Those that changed after nginx's workers started are all looked at, of the others some at each call, in turn.
func (e *Engine) CheckServed(ctx context.Context) ([]string, error) {
	o := e.observer()
	sites, err := e.readSites(o)
	if err != nil {
		return nil, err
	}
	b, err := e.build(ctx)
	if err != nil {
		return nil, err
	}
	paths, _ := e.paths(o, b) // without its configuration nginx has the pid file it was built with
	all := handshakesOf(sites)
	suspects := e.renewedSince(paths, all)
	for range min(maxHandshakes-min(len(suspects), maxHandshakes), len(all)) {
		e.mu.Lock()
		e.rotation = (e.rotation + 1) % len(all)
		suspects = append(suspects, all[e.rotation])
		e.mu.Unlock()
	}
	return e.unloaded(ctx, suspects), nil
}

// unloaded returns the certificates of the handshakes that show another, by name.
func (e *Engine) unloaded(ctx context.Context, hs []handshake) []string {
	stale := make([]bool, len(hs))
	_ = host.ForEach(len(hs), 8, func(i int) error {
		stale[i] = e.presents(ctx, hs[i]) != ""
		return nil
	})
	var list []string
	for i, h := range hs {
		if stale[i] {
			list = append(list, h.certificate())
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// handshakesOf are one for each enabled route with a certificate, by address.
func handshakesOf(sites map[string]*site) []handshake {
	var hs []handshake
	for _, address := range slices.Sorted(maps.Keys(sites)) {
		t := sites[address]
		if r := t.route(); t.ours && t.enabled && t.managed.Certificate != nil && !r.IsZero() {
			hs = append(hs, handshake{ServerName: r.Domain(), Fullchain: t.managed.Certificate.Fullchain, route: address})
		}
	}
	return hs
}

// renewedSince returns the handshakes whose certificate is newer than nginx's oldest accepting worker: it can't have
// loaded them. Without a running nginx there is nothing to compare.
func (e *Engine) renewedSince(paths nginx.Paths, hs []handshake) []handshake {
	pid, err := e.nginx.Master(paths.PIDFile)
	if err != nil {
		return nil
	}
	var started time.Time
	if w, err := nginx.WorkersOf(pid); err == nil {
		started = w.Started()
	}
	started = started.Add(-time.Second) // the times are rounded, and a handshake too many does no harm
	var list []handshake
	for _, h := range hs {
		info, err := os.Stat(h.Fullchain)
		if err != nil {
			continue
		}
		if key, ok := host.KeyOf(info); !ok || key.ChangedSince(started) {
			list = append(list, h)
		}
	}
	return list
}
