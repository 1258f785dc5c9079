package facade_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

// A client talks to a server of its own over a real socket.
type client struct {
	t    testing.TB
	lab  *enginetest.Lab
	eng  *engine.Engine
	api  *facade.Server
	base string // http://127.0.0.1:port
	log  *syncBuffer
}

type setup struct {
	lab    enginetest.Options
	engine func(*engine.Options)
	facade func(*facade.Options)
}

// start starts a lab and a server in front of it.
func start(t testing.TB, s ...setup) *client {
	t.Helper()
	var one setup
	if len(s) > 0 {
		one = s[0]
	}
	return serve(t, enginetest.Start(t, one.lab), one)
}

// serve starts a server in front of a lab.
func serve(t testing.TB, lab *enginetest.Lab, s setup) *client {
	t.Helper()
	c := &client{t: t, lab: lab, log: &syncBuffer{}}
	o := lab.EngineOptions()
	o.Actor, o.State.NoSync = "test", true
	if s.engine != nil {
		s.engine(&o)
	}
	var err error
	if c.eng, err = engine.Open(o); err != nil {
		t.Fatal(err)
	}
	fo := facade.Options{Logger: facade.NewLogger(c.log, slog.LevelDebug, "json")}
	if s.facade != nil {
		s.facade(&fo)
	}
	c.api = facade.New(c.eng, fo)
	server := httptest.NewServer(c.api)
	t.Cleanup(server.Close)
	c.base = server.URL
	return c
}

// run runs the server's loops until stop is called, or the test ends.
func (c *client) run() (stop func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); c.api.Run(ctx) }()
	stop = func() { cancel(); <-ended }
	c.t.Cleanup(stop)
	return stop
}

// until waits for something to become true, and fails the test if that takes long.
func (c *client) until(become func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !become(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("waited in vain")
		}
	}
}

// A reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request; headers are names and values by turns.
func (c *client) do(method, path, body string, headers ...string) reply {
	c.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, c.base+path, reader)
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Error(err)
		return reply{}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Error(err)
	}
	return reply{res.StatusCode, res.Header, string(b)}
}

// json decodes an answer as any JSON.
func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("%d %q: %v", r.status, r.body, err)
	}
	return m
}

// lines decodes an answer, or a log, as one JSON object a line.
func lines(t testing.TB, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(text) {
		list = append(list, reply{body: line}.json(t))
	}
	return list
}

// code returns the error's code, and checks that the answer has the form of every error.
func (r reply) code(t testing.TB) string {
	t.Helper()
	var e struct {
		Error struct {
			Code, Message string
			Details       map[string]any
		}
	}
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Fatalf("%d %q: %v", r.status, r.body, err)
	}
	if id := e.Error.Details["correlation_id"]; id == nil || id != r.header.Get("X-Correlation-ID") || e.Error.Message == "" {
		t.Fatalf("not an error of the contract's form: %s", r.body)
	}
	return e.Error.Code
}

func (r reply) detail(t testing.TB, key string) any {
	t.Helper()
	e, _ := r.json(t)["error"].(map[string]any)
	d, _ := e["details"].(map[string]any)
	return d[key]
}

// routeBody is the body of a PUT of a route without HTTPS under example.test.
func routeBody(name string, port int, more string) string {
	b, _ := json.Marshal(port)
	return `{"domain":"` + name + `.example.test","upstream_host":"127.0.0.1","upstream_port":` + string(b) + `,"enable_ssl":false` + more + `}`
}

// put puts a route and fails the test unless it was created or updated.
func (c *client) put(name string, port int) {
	c.t.Helper()
	if r := c.do("PUT", "/proxies/"+name, routeBody(name, port, "")); r.status != 201 && r.status != 200 {
		c.t.Fatalf("PUT %s: %d %s", name, r.status, r.body)
	}
}

func TestARouteIsCreatedShownUpdatedAndDeleted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	is.Equal(strings.TrimSpace(c.do("GET", "/proxies", "").body), "[]")

	r := c.do("PUT", "/proxies/Alpha", routeBody("alpha", up.Port(), ""))
	is.Equal(r.status, 201)
	is.Equal(r.header.Get("Content-Type"), "application/json")
	is.True(strings.HasPrefix(r.header.Get("ETag"), `"`))
	m := r.json(t)
	is.Equal(m["droplet_name"], "alpha")
	is.Equal(m["domain"], "alpha.example.test")
	is.Equal(m["upstream"], up.URL())
	is.Equal(m["ssl_enabled"], false)
	is.Equal(m["status"], "active")
	got, err := c.lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n") // a success is answered when nginx serves it

	is.Equal(c.do("PUT", "/proxies/alpha", routeBody("alpha", up.Port(), "")).status, 200) // unchanged
	is.Equal(c.do("PUT", "/proxies/alpha", routeBody("alpha", up.Port(), `,"read_timeout":"5m"`)).status, 200)

	one := c.do("GET", "/proxies/alpha", "")
	is.Equal(one.status, 200)
	m = one.json(t)
	is.Equal(m["read_timeout"], "5m")
	is.Equal(m["last_health_status"], "healthy")
	is.Equal(m["drifted"], false)
	is.True(m["last_health_checked_at"] != nil)

	var list []map[string]any
	is.NoErr(json.Unmarshal([]byte(c.do("GET", "/proxies", "").body), &list))
	is.Equal(len(list), 1)
	is.Equal(list[0]["upstream"], up.URL())

	r = c.do("DELETE", "/proxies/alpha", "")
	is.Equal(r.status, 200)
	is.Equal(strings.TrimSpace(r.body), `{"status":"deleted","droplet_name":"alpha"}`)
	r = c.do("DELETE", "/proxies/alpha", "")
	is.Equal(r.status, 404)
	is.Equal(r.code(t), "PROXY_NOT_FOUND")
	is.Equal(c.do("GET", "/proxies/alpha", "").code(t), "PROXY_NOT_FOUND")
}

func TestAPostNamesTheRouteAfterItsDomainAndReadsTheUpstreamFromOneText(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("beta")
	r := c.do("POST", "/proxies", `{"domain":"Beta.example.test","upstream":"`+up.URL()+`","enable_ssl":false}`)
	is.Equal(r.status, 201)
	is.Equal(r.json(t)["droplet_name"], "beta")
	is.Equal(r.header.Get("Location"), "/proxies/beta")
	for _, wrong := range []string{"ftp://127.0.0.1:80", "http://127.0.0.1", "http://u:p@127.0.0.1:80", "http://127.0.0.1:80/x", "http://127.0.0.1:80?x", "nonsense", ""} {
		r := c.do("POST", "/proxies", `{"domain":"x.example.test","upstream":"`+wrong+`"}`)
		is.Equal(r.code(t), "INVALID_INPUT")
		is.Equal(r.detail(t, "field"), "upstream")
	}
	r = c.do("POST", "/proxies", `{"domain":"x.example.test","upstream":"http://a:1","upstream_port":2}`)
	is.Equal(r.code(t), "INVALID_INPUT")
}

func TestARouteThatWaitsForItsCertificateIs202AndSaysWhatToCall(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	body := strings.Replace(routeBody("alpha", up.Port(), ""), `"enable_ssl":false`, `"enable_ssl":true`, 1)
	r := c.do("PUT", "/proxies/alpha", body)
	is.Equal(r.status, 202)
	m := r.json(t)
	is.Equal(m["status"], "pending_ssl")
	is.Equal(m["next"].(map[string]any)["path"], "/proxies/alpha/ssl")
	is.Equal(m["next"].(map[string]any)["method"], "POST")
	got, err := c.lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n") // over HTTP it is served already
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	c.put("alpha", up.Port())
	before := c.lab.Tree()
	state := `{"routes":[]}`
	for _, call := range []struct{ method, path, body string }{
		{"PUT", "/proxies/beta?dry_run=true", routeBody("beta", up.Port(), "")},
		{"POST", "/proxies?dry_run=true", routeBody("beta", up.Port(), "")},
		{"DELETE", "/proxies/alpha?dry_run=true", ""},
		{"POST", "/apply?dry_run=true", state},
	} {
		r := c.do(call.method, call.path, call.body)
		is.Equal(r.status, 200)
		m := r.json(t)
		is.Equal(m["dry_run"], true)
		is.Equal(m["plan"].(map[string]any)["format_version"], "1.0")
		is.Equal(c.lab.Tree().Diff(before), "")
	}
	r := c.do("PUT", "/proxies/beta?dry_run=true;x", routeBody("beta", up.Port(), ""))
	is.Equal(r.code(t), "INVALID_INPUT") // not a real change by accident
	is.Equal(c.lab.Tree().Diff(before), "")
}

func TestPreconditionsAreHonoured(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	body := routeBody("alpha", up.Port(), "")
	is.Equal(c.do("PUT", "/proxies/alpha", body, "If-Match", "*").code(t), "PRECONDITION_FAILED") // there is none yet
	r := c.do("PUT", "/proxies/alpha", body, "If-None-Match", "*")
	is.Equal(r.status, 201)
	first := r.header.Get("ETag")
	r = c.do("PUT", "/proxies/alpha", body, "If-None-Match", "*")
	is.Equal(r.status, 412)
	is.Equal(c.do("GET", "/proxies/alpha", "", "If-None-Match", first).status, 304)

	changed := routeBody("alpha", up.Port(), `,"read_timeout":"5m"`)
	r = c.do("PUT", "/proxies/alpha", changed, "If-Match", `"other", `+first)
	is.Equal(r.status, 200)
	is.True(r.header.Get("ETag") != first)
	is.Equal(c.do("PUT", "/proxies/alpha", body, "If-Match", first).status, 412) // somebody else was faster
	is.Equal(c.do("DELETE", "/proxies/alpha", "", "If-Match", first).status, 412)
	is.Equal(c.do("DELETE", "/proxies/alpha?dry_run=true", "", "If-Match", first).status, 412)
	is.Equal(c.do("POST", "/proxies/alpha/ssl", "", "If-Match", first).status, 412)
	is.Equal(c.do("POST", "/proxies/alpha/ssl?dry_run=true", `{"force_renew":true}`, "If-Match", first).status, 412)
	is.Equal(c.do("POST", "/proxies/alpha/ssl?dry_run=true", "", "If-Match", r.header.Get("ETag")).status, 200)
	is.Equal(c.do("DELETE", "/proxies/alpha", "", "If-Match", "unquoted").code(t), "INVALID_INPUT")
	is.Equal(c.do("DELETE", "/proxies/alpha", "", "If-Match", r.header.Get("ETag")).status, 200)
}

func TestADesiredStateIsPlannedAndAppliedOrItsPlanIs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	state := `{"routes":[` + strings.Replace(routeBody("alpha", up.Port(), ""), "{", `{"droplet_name":"alpha",`, 1) + `]}`
	p := c.do("POST", "/plan", state)
	is.Equal(p.status, 200)
	is.Equal(p.json(t)["summary"].(map[string]any)["create"], 3.0) // the route, and the two files that routes share

	r := c.do("POST", "/apply", p.body) // the plan itself
	is.Equal(r.status, 200)
	is.Equal(r.json(t)["status"], "applied")
	r = c.do("POST", "/apply", p.body)
	is.Equal(r.status, 409)
	is.Equal(r.code(t), "STALE_PLAN")
	edited := strings.Replace(p.body, "alpha.example.test", "other.example.test", 1)
	is.Equal(c.do("POST", "/apply", edited).code(t), "INVALID_INPUT")

	is.Equal(c.do("POST", "/apply", state).json(t)["status"], "unchanged")
	is.Equal(c.do("POST", "/apply?keep_unlisted=true", `{"routes":[]}`).json(t)["status"], "unchanged")

	r = c.do("POST", "/apply", `{"routes":[]}`, "Accept", "application/x-ndjson")
	is.Equal(r.header.Get("Content-Type"), "application/x-ndjson")
	told := lines(t, r.body)
	is.True(len(told) > 4) // a line for each step as it starts and ends
	is.Equal(told[0]["type"], "step_start")
	last := told[len(told)-1]
	is.Equal(last["type"], "result")
	is.Equal(last["result"].(map[string]any)["status"], "applied")
	is.Equal(strings.TrimSpace(c.do("GET", "/proxies", "").body), "[]")
}

func TestGetProxiesIsTheSameAfterARestart(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	c.put("alpha", up.Port())
	c.put("beta", up.Port())
	before := c.do("GET", "/proxies", "").body
	is.Equal(serve(t, c.lab, setup{}).do("GET", "/proxies", "").body, before)
}

func TestAStopLetsTheRunningChangeEndAndRefusesOthers(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{engine: func(o *engine.Options) { o.Upstreams.CheckTimeout = 5 * time.Second }})
	up := c.lab.Upstream("slow")
	up.SetDelay(time.Second)
	running := make(chan reply, 1)
	go func() { running <- c.do("PUT", "/proxies/slow", routeBody("slow", up.Port(), "")) }()
	c.until(func() bool { return up.Requests() > 0 })
	drained := make(chan struct{})
	go func() { defer close(drained); c.api.Drain(t.Context()) }()
	c.until(func() bool { return c.do("GET", "/state", "").json(t)["status"] == "inactive" })
	r := c.do("PUT", "/proxies/other", routeBody("other", up.Port(), ""))
	is.Equal(r.status, 503)
	is.Equal(r.code(t), "SHUTTING_DOWN")
	is.Equal(c.do("GET", "/proxies", "").status, 200) // reads go on
	is.Equal((<-running).status, 201)
	<-drained
}

func TestAStopThatCannotWaitUndoesTheRunningChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{engine: func(o *engine.Options) { o.Upstreams.CheckTimeout = 30 * time.Second }})
	up := c.lab.Upstream("slow")
	up.SetDelay(20 * time.Second)
	before := c.lab.Tree()
	running := make(chan reply, 1)
	go func() { running <- c.do("PUT", "/proxies/slow", routeBody("slow", up.Port(), "")) }()
	c.until(func() bool { return up.Requests() > 0 })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c.api.Drain(ctx)
	is.Equal((<-running).code(t), "SHUTTING_DOWN")
	is.Equal(c.lab.Tree().Diff(before), "")
}

// A syncBuffer may be written and read by several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) Reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = bytes.Buffer{}
}

func TestAnEmptyTextIsRefusedWhereAValueIsMeant(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	for _, field := range []string{"upstream_host", "upstream_scheme", "health_check_path", "read_timeout", "droplet_name", "domain"} {
		body := `{"upstream_port":80,"` + field + `":""}`
		r := c.do("PUT", "/proxies/alpha", body)
		is.Equal(r.code(t), "INVALID_INPUT")
		is.Equal(r.detail(t, "field"), field)
		is.Equal(c.do("POST", "/proxies", body).detail(t, "field"), field)
		is.Equal(c.do("POST", "/plan", `{"routes":[`+body+`]}`).detail(t, "field"), "routes[0]."+field)
	}
	is.Equal(c.do("POST", "/proxies", `{"domain":"a.example.test","upstream":""}`).detail(t, "field"), "upstream")
}

func TestAPostWithoutANameTakesNobodyElsesRoute(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("up")
	body := func(domain, more string) string {
		return fmt.Sprintf(`{"domain":"%s","upstream":%q,"enable_ssl":false%s}`, domain, up.URL(), more)
	}
	r := c.do("POST", "/proxies", body("app.one.test", ""))
	is.Equal(r.status, 201)
	is.Equal(r.json(t)["droplet_name"], "app")
	before := c.lab.Tree()
	for _, query := range []string{"", "?dry_run=true"} {
		r = c.do("POST", "/proxies"+query, body("app.two.test", ""))
		is.Equal(r.status, 409)
		is.Equal(r.code(t), "DOMAIN_CONFLICT")
		is.Equal(r.detail(t, "droplet_name"), "app")
		is.Equal(r.detail(t, "domain"), "app.one.test")
	}
	is.Equal(c.lab.Tree().Diff(before), "")
	is.Equal(c.do("POST", "/proxies", body("APP.one.test", `,"read_timeout":"5m"`)).status, 200) // its own
	is.Equal(c.do("POST", "/proxies", body("app.two.test", `,"droplet_name":"app2"`)).status, 201)
	is.Equal(c.do("POST", "/proxies", body("app.two.test", ""), "If-None-Match", "*").status, 409)
	is.Equal(c.do("POST", "/proxies", body("app.one.test", ""), "If-None-Match", "*").status, 412)
	is.Equal(c.do("POST", "/proxies", body("app.three.test", `,"droplet_name":"app"`)).status, 200) // asked for by name
}

func TestUnderAPrefixWhatIsToBeCalledNextHasIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	mounted := httptest.NewServer(http.StripPrefix("/pm", c.api))
	t.Cleanup(mounted.Close)
	root := c.base
	up := c.lab.Upstream("up")
	body := strings.Replace(routeBody("alpha", up.Port(), ""), `,"enable_ssl":false`, "", 1)

	c.base = mounted.URL
	r := c.do("PUT", "/pm/proxies/alpha", routeBody("alpha", up.Port(), ""))
	is.Equal(r.status, 201)
	is.Equal(r.header.Get("Location"), "/pm/proxies/alpha")
	r = c.do("PUT", "/pm/proxies/alpha", body)
	is.Equal(r.status, 202)
	is.Equal(r.json(t)["next"].(map[string]any)["path"], "/pm/proxies/alpha/ssl")
	server := func(path string) any {
		return c.do("GET", path, "").json(t)["servers"].([]any)[0].(map[string]any)["url"]
	}
	is.Equal(server("/pm/openapi.json"), "/pm")

	c.base = root
	is.Equal(server("/openapi.json"), "/")
	r = c.do("POST", "/proxies", routeBody("beta", up.Port(), ""))
	is.Equal(r.header.Get("Location"), "/proxies/beta")
}

func TestWhomAMiddlewareNamesIsTheActorOfTheChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	mounted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.api.ServeHTTP(w, r.WithContext(engine.WithActor(r.Context(), "alice")))
	}))
	t.Cleanup(mounted.Close)
	c.base = mounted.URL
	c.put("alpha", c.lab.Upstream("up").Port())
	is.True(strings.Contains(c.log.String(), `"actor":"alice"`))
	history, err := c.eng.History()
	is.NoErr(err)
	is.Equal(history[0].Actor, "alice")
}

func TestAMessageMayHaveMoreInItThanIsKnown(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	r := c.do("POST", "/message", `{"message_type":"ping","source":"x","target":"pm","timestamp":"2026-11-25T00:00:00Z","payload":{"a":[1]},"hops":3,"Message_Type":1}`)
	is.Equal(r.status, 200)
	is.Equal(r.json(t)["result"].(map[string]any)["pong"], true)
	is.Equal(c.do("POST", "/message", `{"message_type":7}`).detail(t, "field"), "message_type")
	is.Equal(c.do("POST", "/message", `{"message_type":"ping","message_type":"x"}`).status, 400)
	is.Equal(c.do("POST", "/message", `[]`).status, 400)
	is.Equal(c.do("POST", "/message", `{"Message_Type":"ping"}`).status, 400)
}
