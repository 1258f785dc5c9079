package engine

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A lineage is a certificate as certbot keeps it: live/NAME with the current chain and key.
type lineage struct {
	files resources.CertificateFiles
	leaf  *x509.Certificate // nil where there is none, or none that can be read
}

// A certificateSpec is what the steps about certificates need to know.
type certificateSpec struct {
	Lineage string   `json:"lineage"` // certbot's --cert-name
	Domains []string `json:"domains,omitempty"`
	Email   string   `json:"email,omitempty"`
	KeyType string   `json:"key_type,omitempty"`
	Force   bool     `json:"force,omitempty"`
}

// lineage looks a certificate up, through the observer.
func (pl *planner) lineage(name string) (lineage, error) {
	dir := filepath.Join(pl.e.opts.CertbotConfigDir, "live", name)
	l := lineage{files: resources.CertificateFiles{Fullchain: filepath.Join(dir, "fullchain.pem"), PrivateKey: filepath.Join(dir, "privkey.pem")}}
	b, err := pl.s.obs.ReadFile(l.files.Fullchain)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, failf(ConfigWriteFailed, err, "read a certificate; run as the user that owns certbot's files")
	}
	if block, _ := pem.Decode(b); block != nil {
		if leaf, err := x509.ParseCertificate(block.Bytes); err == nil {
			l.leaf = leaf
		}
	}
	return l, nil
}

// loadable reports whether nginx can serve with it at all.
func (l lineage) loadable(now time.Time) bool { return l.leaf != nil && now.Before(l.leaf.NotAfter) }

func (l lineage) covers(domains []string) bool {
	return !slices.ContainsFunc(domains, func(d string) bool { return l.leaf.VerifyHostname(d) != nil })
}

// certificateOf returns the certificate a route can be served with now, and the one it has to get first, if any.
func (pl *planner) certificateOf(r resources.Route) (*resources.CertificateFiles, *certificateSpec, error) {
	if !r.EnableSSL() || !r.Enabled() {
		return nil, nil, nil
	}
	want, err := pl.certificateFor(r)
	if err != nil {
		return nil, nil, err
	}
	l, err := pl.lineage(want.LineageName())
	if err != nil {
		return nil, nil, err
	}
	var now *resources.CertificateFiles
	if l.loadable(pl.e.opts.Clock()) {
		now = &l.files
		if l.covers(r.Domains()) {
			return now, nil, nil
		}
	}
	if !pl.req.Issue {
		pl.warnings = append(pl.warnings, fmt.Sprintf("%s has no certificate yet and answers over HTTP only: run 'proxy-manager ssl %s'", r.Address(), r.Name()))
		return now, nil, nil
	}
	return now, &certificateSpec{Lineage: want.LineageName(), Domains: r.Domains(), Email: want.Email(), KeyType: want.KeyType()}, nil
}

// certificateFor is the certificate resource of a route: the listed one of its name, or the one that it implies.
func (pl *planner) certificateFor(r resources.Route) (resources.Certificate, error) {
	for _, c := range pl.req.Certificates {
		if c.Name() == r.Name() {
			return c, nil
		}
	}
	c, err := r.Certificate(pl.e.opts.Email)
	if err != nil {
		return c, invalid(err)
	}
	return c, nil
}

// planHTTPS obtains a route's certificate and then writes the route that uses it.
func (pl *planner) planHTTPS(r resources.Route, t *site, first *plan.State, spec *certificateSpec) error {
	dir := filepath.Join(pl.e.opts.CertbotConfigDir, "live", spec.Lineage)
	text, err := r.Render(pl.s.settings, &resources.CertificateFiles{
		Fullchain: filepath.Join(dir, "fullchain.pem"), PrivateKey: filepath.Join(dir, "privkey.pem"),
	})
	if err != nil {
		return invalid(err)
	}
	o := obtaining{step: obtainStep(plan.IssueCertificate, r.Name(), *spec)}
	if file := plan.File(text, 0o644); !sameState(first, file) {
		o.use = append(o.use, pathStep(r.Address(), t.path, first, file))
	}
	pl.obtain = append(pl.obtain, o)
	pl.changes = append(pl.changes, plan.Change{Address: "certificate." + r.Name(), Action: plan.Create, Reason: "needed for HTTPS"})
	return nil
}

func obtainStep(kind, name string, spec certificateSpec) plan.Step {
	b, _ := json.Marshal(spec) // strings and booleans: can't fail
	return plan.Step{
		Kind: kind, Address: "certificate." + name, Spec: b,
		Description: "obtain a certificate for " + strings.Join(spec.Domains, ", "),
		Undo:        "kept, and used by the next attempt: issuing is limited",
	}
}

// planCertificates plans the certificates that are listed by themselves, those that are due, and those that nothing
// needs any more.
func (pl *planner) planCertificates() error { return nil }
