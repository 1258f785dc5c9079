package facade

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// metrics are what has happened since the server was started. What is now is looked up when it is asked for.
type metrics struct {
	requests *counter
	took     *histogram
	plans    *counter
	applies  *counter
	failures *counter
	reloads  *counter
	steps    map[string]*histogram // by kind

	mu       sync.Mutex
	lastStep string
}

// Buckets in seconds: an answer from memory takes a millisecond, certbot half a minute.
var (
	requestBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 30}
	stepBuckets    = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	certbotBuckets = []float64{1, 2.5, 5, 10, 20, 40, 80, 160, 320}
)

func newMetrics() *metrics {
	return &metrics{
		requests: newCounter("method", "endpoint", "status"),
		took:     newHistogram(requestBuckets),
		plans:    newCounter("code"),
		applies:  newCounter("operation", "code"),
		failures: newCounter("code"),
		reloads:  newCounter(),
		steps: map[string]*histogram{
			plan.TestConfig: newHistogram(stepBuckets), plan.Reload: newHistogram(stepBuckets), plan.Verify: newHistogram(stepBuckets),
			plan.IssueCertificate: newHistogram(certbotBuckets), plan.RenewCertificate: newHistogram(certbotBuckets),
		},
	}
}

func (m *metrics) request(method, pattern string, status int, took time.Duration) {
	if pattern == "" {
		method = "" // it may be anything, and must not make a time series
	}
	m.requests.add(method, endpointPath(pattern), strconv.Itoa(status))
	m.took.observe(took)
}

// operations are those that a change of this server can have. A plan may come with any word in its place, and a label must
// not: each of its values is remembered as long as the server lives.
var operations = []string{"adopt", "apply", "delete", "destroy", "put", "reload", "renew", "rollback", "ssl", "sync"}

// other stands for all values that a label does not have.
const other = "other"

func labelOf(value string, known []string) string {
	if slices.Contains(known, value) {
		return value
	}
	return other
}

func (m *metrics) planned(err error) { m.plans.add(codeLabel(err)) }

func (m *metrics) applied(operation string, err error) {
	m.applies.add(labelOf(operation, operations), codeLabel(err))
	if err != nil {
		m.failures.add(codeLabel(err))
	}
}

func codeLabel(err error) string {
	if err == nil {
		return "OK"
	}
	if code := engine.CodeOf(err); slices.Contains(codes.All(), code) {
		return string(code)
	}
	return other // a step kind of somebody's own
}

// step counts a step that has ended. Changes that were made together all hear of the steps that served them, one after
// the other; such a step is counted once.
func (m *metrics) step(ev engine.Event) {
	if ev.Step == nil || (ev.Type != engine.StepDone && ev.Type != engine.StepFailed) {
		return
	}
	h, ok := m.steps[ev.Step.Kind]
	if !ok {
		return
	}
	m.mu.Lock()
	key := ev.ApplyID + ev.Step.ID
	again := m.lastStep == key
	m.lastStep = key
	m.mu.Unlock()
	if again {
		return
	}
	h.observe(ev.Duration)
	if ev.Step.Kind == plan.Verify && ev.Type == engine.StepDone {
		m.reloads.add() // only now it has taken effect
	}
}

func (s *Server) showMetrics(w http.ResponseWriter, r *http.Request) error {
	text, err := s.exposition(r.Context())
	if err != nil {
		return err
	}
	// The version is part of the text format's name (Prometheus, "exposition formats").
	return send(w, http.StatusOK, "text/plain; version=0.0.4; charset=utf-8", text)
}

func (s *Server) exposition(ctx context.Context) ([]byte, error) {
	leave, err := s.heavy.enter(ctx, "requests look at every route")
	if err != nil {
		return nil, err
	}
	defer leave()
	routes, err := s.eng.Routes(ctx)
	if err != nil {
		return nil, err
	}
	certificates, err := s.eng.Certificates(ctx)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	x := exposition{&b}
	s.metrics.write(x)
	s.writeHost(x, s.probe.fresh())
	s.writeRoutes(x, routes)
	x.family("proxy_manager_certificate_expiry_timestamp_seconds", "gauge", "When a certificate ends, in Unix time.")
	for _, c := range certificates {
		if c.Exists() {
			x.sample("proxy_manager_certificate_expiry_timestamp_seconds", float64(c.NotAfter.Unix()), "name", c.Name)
		}
	}
	return b.Bytes(), nil
}

func (m *metrics) write(x exposition) {
	x.counter("proxy_manager_http_requests_total", "Requests by method, endpoint and status.", m.requests)
	x.histogram("proxy_manager_http_request_duration_seconds", "How long requests took.", m.took)
	x.counter("proxy_manager_plans_total", "Plans made without applying them, by code (OK or an error's).", m.plans)
	x.counter("proxy_manager_applies_total", "Changes by operation and code (OK or an error's).", m.applies)
	x.counter("proxy_manager_failures_total", "Failed changes by the error's code.", m.failures)
	x.counter("proxy_manager_reloads_total", "Reloads of nginx that have taken effect.", m.reloads)
	for _, f := range []struct{ kind, name, help string }{
		{plan.TestConfig, "proxy_manager_config_test_duration_seconds", "How long nginx took to test a configuration."},
		{plan.Reload, "proxy_manager_reload_duration_seconds", "How long it took to make a change durable and tell nginx."},
		{plan.Verify, "proxy_manager_verify_duration_seconds", "How long nginx took from then until only new workers accepted."},
		{plan.IssueCertificate, "proxy_manager_certificate_issue_duration_seconds", "How long certbot took to obtain a certificate."},
		{plan.RenewCertificate, "proxy_manager_certificate_renew_duration_seconds", "How long certbot took to renew a certificate."},
	} {
		x.histogram(f.name, f.help, m.steps[f.kind])
	}
}

func (s *Server) writeHost(x exposition, seen health.Sighting) {
	x.gauge("proxy_manager_build_info", "The version that runs; the value is always 1.", 1, "version", engine.Version)
	x.gauge("proxy_manager_start_time_seconds", "When the server was started, in Unix time.", float64(s.started.UnixMilli())/1000)
	x.gauge("proxy_manager_nginx_up", "Whether nginx runs.", number(seen.Nginx.Running))
	x.gauge("proxy_manager_nginx_config_ok", "Whether nginx accepts its configuration as it is.", number(seen.Nginx.Present && seen.ConfigError == nil))
	x.gauge("proxy_manager_nginx_workers", "Workers of nginx that accept connections.", float64(seen.Nginx.Accepting))
	x.gauge("proxy_manager_nginx_workers_shutting_down", "Old workers of nginx that only finish what they have.", float64(seen.Nginx.Draining))
	x.gauge("proxy_manager_certbot_present", "Whether certbot is there.", number(seen.Certbot.Present))
	x.family("proxy_manager_health_status", "gauge", "The service's health: 1 for the state it is in.")
	for _, state := range []string{health.Healthy, health.Degraded, health.Unhealthy} {
		x.sample("proxy_manager_health_status", number(seen.Status() == state), "status", state)
	}
}

func (s *Server) writeRoutes(x exposition, routes []engine.RouteStatus) {
	states, drifted := map[string]int{}, 0
	for _, st := range routes {
		states[st.Status]++
		if st.Drifted {
			drifted++
		}
	}
	x.family("proxy_manager_routes", "gauge", "Managed routes by status.")
	for _, state := range []string{engine.Active, engine.PendingSSL, engine.Disabled} {
		x.sample("proxy_manager_routes", float64(states[state]), "status", state)
	}
	x.gauge("proxy_manager_routes_drifted", "Managed routes that were changed behind the program's back.", float64(drifted))
	x.family("proxy_manager_upstream_healthy", "gauge", "What a route's upstream answered when it was last asked.")
	for _, st := range routes {
		if h, ok := s.eng.LastHealth(st.Name); ok {
			x.sample("proxy_manager_upstream_healthy", number(h.Healthy), "droplet_name", st.Name)
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
