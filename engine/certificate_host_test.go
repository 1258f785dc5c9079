package engine_test

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// An acmeHost is a host with a CA, and an engine for it.
type acmeHost struct {
	*enginetest.Lab
	*engine.Engine
	t  testing.TB
	up *enginetest.Upstream
}

func startACME(t testing.TB, o enginetest.Options, change ...func(*engine.Options)) *acmeHost {
	t.Helper()
	o.ACME = true
	lab := enginetest.Start(t, o)
	t.Setenv("REQUESTS_CA_BUNDLE", lab.CABundle)
	return &acmeHost{Lab: lab, Engine: open(t, lab, change...), t: t, up: lab.Upstream("shop")}
}

// Do is the engine's, not the lab's.
func (h *acmeHost) Do(ctx context.Context, req engine.Request) (*engine.Result, error) {
	return h.Engine.Do(ctx, req)
}

// httpsRoute returns a route with enable_ssl.
func (h *acmeHost) httpsRoute(name string, aliases ...string) resources.Route {
	return route(h.t, name, h.up.Port(), func(f *resources.RouteFields) { f.EnableSSL, f.Aliases = new(true), aliases })
}

// apply makes the host as if these routes, and nothing else, were in the desired state.
func (h *acmeHost) apply(routes ...resources.Route) (*engine.Result, error) {
	return h.Do(context.Background(), engine.Desired(resources.Desired{Routes: routes}))
}

// leaf is what a TLS client is shown for a name, after verification against the CA's root.
func (h *acmeHost) leaf(domain string) *x509.Certificate {
	h.t.Helper()
	res, err := h.GetTLS(domain, "/name")
	if err != nil {
		h.t.Fatal(err)
	}
	return res.TLS.PeerCertificates[0]
}

func (h *acmeHost) status(name string) engine.CertificateStatus {
	h.t.Helper()
	st, err := h.Engine.Certificate(context.Background(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// lineages lists what certbot keeps: certificates, and requests and keys of attempts.
func (h *acmeHost) lineages(dirs ...string) []string {
	var found []string
	for _, dir := range dirs {
		entries, _ := os.ReadDir(filepath.Join(h.CertbotConfigDir, dir))
		for _, e := range entries {
			if e.Name() != "README" {
				found = append(found, dir+"/"+e.Name())
			}
		}
	}
	return found
}

func kinds(p *plan.Plan) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, s.Kind)
	}
	return strings.Join(list, " ")
}

func reason(err error) any {
	var e *engine.Error
	errors.As(err, &e)
	return e.Details["reason"]
}
