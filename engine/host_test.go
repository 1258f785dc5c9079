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
	"github.com/matryer/is"
)

// A realHost is a host of a test's own: an nginx, an upstream that answers with its name, "up", and an engine for them.
type realHost struct {
	*enginetest.Lab
	*engine.Engine
	t  testing.TB
	up *enginetest.Upstream
}

// begin begins a test on a host of its own, which therefore runs beside others.
func begin(t *testing.T, o enginetest.Options, change ...func(*engine.Options)) (*is.I, *realHost) {
	t.Helper()
	t.Parallel()
	return is.New(t), startHost(t, o, change...)
}

// startHost starts a host for a test that must not run beside others, or a benchmark.
func startHost(t testing.TB, o enginetest.Options, change ...func(*engine.Options)) *realHost {
	t.Helper()
	lab := enginetest.Start(t, o)
	return &realHost{Lab: lab, Engine: open(t, lab, change...), t: t, up: lab.Upstream("up")}
}

// open returns an engine for a lab.
func open(t testing.TB, lab *enginetest.Lab, change ...func(*engine.Options)) *engine.Engine {
	t.Helper()
	o := lab.EngineOptions()
	o.Actor = "test"
	for _, f := range change {
		f(&o)
	}
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// another returns one more engine for the host, as another process has it.
func (h *realHost) another(change ...func(*engine.Options)) *engine.Engine {
	h.t.Helper()
	return open(h.t, h.Lab, change...)
}

// Do is the engine's, not the lab's.
func (h *realHost) Do(ctx context.Context, req engine.Request) (*engine.Result, error) {
	return h.Engine.Do(ctx, req)
}

// put applies routes, and all must go well.
func (h *realHost) put(routes ...resources.Route) *engine.Result {
	h.t.Helper()
	res, err := h.Do(h.t.Context(), engine.Put(routes...))
	if err != nil {
		h.t.Fatal(err)
	}
	return res
}

// apply makes the host as if these routes, and nothing else, were in the desired state.
func (h *realHost) apply(routes ...resources.Route) (*engine.Result, error) {
	return h.Do(h.t.Context(), engine.Desired(resources.Desired{Routes: routes}))
}

// page returns what nginx answers for a domain over HTTP: "up\n" where a route leads to the upstream.
func (h *realHost) page(domain string) string {
	h.t.Helper()
	got, err := h.Get(domain, "/name")
	if err != nil {
		h.t.Fatal(err)
	}
	return got.Body
}

// leaf is what a TLS client is shown for a name, after verification against the CA's root.
func (h *realHost) leaf(domain string) *x509.Certificate {
	h.t.Helper()
	res, err := h.GetTLS(domain, "/name")
	if err != nil {
		h.t.Fatal(err)
	}
	return res.TLS.PeerCertificates[0]
}

func (h *realHost) status(name string) engine.CertificateStatus {
	h.t.Helper()
	st, err := h.Engine.Certificate(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// lineages lists what certbot keeps: certificates, and requests and keys of attempts.
func (h *realHost) lineages(dirs ...string) []string {
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

// route returns an HTTP-only route of that name under example.test, to the host's upstream.
func (h *realHost) route(name string, change ...func(*resources.RouteFields)) resources.Route {
	return route(h.t, name, h.up.Port(), change...)
}

// httpsRoute returns a route with enable_ssl.
func (h *realHost) httpsRoute(name string, aliases ...string) resources.Route {
	return h.route(name, withSSL, withAliases(aliases...))
}

// route returns an HTTP-only route of that name under example.test.
func route(t testing.TB, name string, port int, change ...func(*resources.RouteFields)) resources.Route {
	t.Helper()
	f := resources.RouteFields{DropletName: name, Domain: name + ".example.test", UpstreamHost: "127.0.0.1", UpstreamPort: port, EnableSSL: new(false)}
	for _, g := range change {
		g(&f)
	}
	r, err := resources.NewRoute(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// unasked returns a route whose upstream need not be there.
func unasked(t testing.TB, name string, change ...func(*resources.RouteFields)) resources.Route {
	t.Helper()
	return route(t, name, 1, append(change, unchecked)...)
}

func unchecked(f *resources.RouteFields) { f.RequireHealthy = new(false) }

func withSSL(f *resources.RouteFields) { f.EnableSSL = new(true) }

func withAliases(aliases ...string) func(*resources.RouteFields) {
	return func(f *resources.RouteFields) { f.Aliases = aliases }
}

func withBodySize(size string) func(*resources.RouteFields) {
	return func(f *resources.RouteFields) { f.MaxBodySize = size }
}

func code(c engine.Code) error { return &engine.Error{Code: c} }

func reason(err error) any {
	var e *engine.Error
	errors.As(err, &e)
	return e.Details["reason"]
}

func kinds(p *plan.Plan) string {
	var list []string
	for _, s := range p.Steps {
		list = append(list, s.Kind)
	}
	return strings.Join(list, " ")
}

func appendTo(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
