package facade

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// A dependency is something that the service needs, or does more with.
type dependency struct {
	Name   string `json:"name"`
	Status string `json:"status"` // "available", "unavailable" or "not_configured"
	URL    string `json:"url,omitempty"`
	Detail string `json:"detail,omitempty"`
}

type dependenciesAnswer struct {
	RequiredServices []dependency `json:"required_services"`
	OptionalServices []dependency `json:"optional_services"`
	ExternalAPIs     []dependency `json:"external_apis"`
	// The names alone: those that are required, those that are optional, and those of either that are missing.
	Required []string `json:"required"`
	Optional []string `json:"optional"`
	Missing  []string `json:"missing"`
}

// remotes are the services beyond this host, asked no more often than every few seconds.
type remotes struct {
	now     func() time.Time
	targets []remote

	mu    sync.Mutex
	known []dependency
	at    time.Time
}

// A remote is asked with a GET; any answer proves that it is there.
type remote struct {
	name, base, path string
	// otherTrust: whoever really calls it trusts other authorities than this program does, as certbot does with its
	// REQUESTS_CA_BUNDLE, so that a certificate that is unknown here says only that somebody is there.
	otherTrust bool
}

const (
	remoteTimeout = 2 * time.Second
	remoteFresh   = 15 * time.Second
)

func newRemotes(s *Server) *remotes {
	return &remotes{now: s.opts.Clock, targets: []remote{
		{name: "registry", base: s.opts.RegistryURL, path: "/health"},
		{name: "orchestrator", base: s.opts.OrchestratorURL, path: "/health"},
		{name: "acme", base: s.eng.Options().ACME.DirectoryURL, otherTrust: true},
	}}
}

// check asks all remotes side by side.
func (m *remotes) check(ctx context.Context) []dependency {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && m.now().Sub(m.at) < remoteFresh {
		return m.known
	}
	known := make([]dependency, len(m.targets))
	_ = host.ForEach(len(known), len(known), func(i int) error {
		known[i] = m.targets[i].ask(ctx)
		return nil
	})
	m.known, m.at = known, m.now()
	return known
}

func (t remote) ask(ctx context.Context) dependency {
	d := dependency{Name: t.name, Status: "not_configured", URL: t.base}
	if t.base == "" {
		return d
	}
	err := reach(ctx, t.base+t.path)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	if err != nil && !(t.otherTrust && untrusted) {
		d.Status, d.Detail = "unavailable", foreign.Reason(err)
		return d
	}
	d.Status = "available"
	return d
}

func reach(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, url, nil)
	if err != nil {
		return errors.New("no URL that can be asked")
	}
	resp, err := foreign.Client(remoteTimeout).Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func (s *Server) dependencies(w http.ResponseWriter, r *http.Request) error {
	seen := s.probe.fresh()
	far := s.remotes.check(r.Context())
	return writeJSON(w, http.StatusOK, sortDependencies(
		[]dependency{nginxDependency(seen)},
		[]dependency{certbotDependency(s.eng.Options().Certbot.Bin, seen), far[0], far[1]},
		far[2:]))
}

func sortDependencies(required, optional, external []dependency) dependenciesAnswer {
	a := dependenciesAnswer{
		RequiredServices: required, OptionalServices: optional, ExternalAPIs: external,
		Required: []string{}, Optional: []string{}, Missing: []string{},
	}
	for _, d := range required {
		a.Required = append(a.Required, d.Name)
	}
	for _, d := range slices.Concat(optional, external) {
		a.Optional = append(a.Optional, d.Name)
	}
	for _, d := range slices.Concat(required, optional, external) {
		if d.Status == "unavailable" {
			a.Missing = append(a.Missing, d.Name)
		}
	}
	return a
}

func nginxDependency(seen health.Sighting) dependency {
	d := dependency{Name: "nginx", Status: "available", Detail: "version " + seen.Nginx.Version}
	switch {
	case !seen.Nginx.Present:
		d.Status, d.Detail = "unavailable", "not installed"
	case !seen.Nginx.Running:
		d.Status, d.Detail = "unavailable", "not running"
	}
	return d
}

func certbotDependency(bin string, seen health.Sighting) dependency {
	if !seen.Certbot.Present {
		return dependency{Name: "certbot", Status: "unavailable", Detail: "not at " + bin}
	}
	return dependency{Name: "certbot", Status: "available"}
}
