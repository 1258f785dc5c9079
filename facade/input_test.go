package facade_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/matryer/is"
)

func TestBadInputIsRefusedByFieldAndChangesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	before := c.lab.Tree()
	good := routeBody("alpha", 8001, "")
	for _, test := range []struct{ path, body, field string }{
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":0}`, "upstream_port"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":70000}`, "upstream_port"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":"80"}`, "upstream_port"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":8001.5}`, "upstream_port"},
		{"/proxies/alpha", `{"domain":"*.example.test","upstream_port":8001}`, "domain"},
		{"/proxies/alpha", `{"domain":"a.example.test;","upstream_port":8001}`, "domain"},
		{"/proxies/alpha", `{"upstream_port":8001}`, "domain"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":8001,"snippet":"x"}`, "snippet"},
		{"/proxies/alpha", `{"domain":"a.example.test","Upstream_Port":8001}`, "Upstream_Port"},
		{"/proxies/alpha", `{"domain":"a.example.test","domain":"b.example.test","upstream_port":8001}`, "domain"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_port":8001,"droplet_name":"beta"}`, "droplet_name"},
		{"/proxies/alpha", good + "x", ""},
		{"/proxies/alpha", good + good, ""},
		{"/proxies/alpha", `[]`, ""},
		{"/proxies/alpha", `null`, ""},
		{"/proxies/_maps", good, "droplet_name"},
		{"/proxies/a%2Fb", good, "droplet_name"},
		{"/proxies/a%00b", good, "droplet_name"},
		{"/proxies/%E2%84%AAelvin", good, "droplet_name"},
		{"/proxies/" + strings.Repeat("a", 64), good, "droplet_name"},
		{"/proxies/alpha?dry_run=yes", good, "dry_run"},
		{"/proxies/alpha?dry_run=true&dry_run=false", good, "dry_run"},
		{"/proxies/alpha?dryrun=true", good, "dryrun"},
		{"/proxies/alpha?%zz", good, "query"},
		{"/proxies/alpha", `{"domain":"a.example.test","upstream_host":"169.254.169.254","upstream_port":80}`, "upstream_host"},
	} {
		r := c.do("PUT", test.path, test.body)
		if r.status != 400 || r.code(t) != "INVALID_INPUT" || r.detail(t, "field") != test.field {
			t.Errorf("PUT %s %s: %d %s", test.path, test.body, r.status, r.body)
		}
		is.True(r.detail(t, "constraint") != nil)
	}
	is.Equal(c.do("DELETE", "/proxies/alpha", `{"dry_run":true}`).code(t), "INVALID_INPUT") // no body is taken
	is.Equal(c.do("GET", "/proxies?x=1", "").detail(t, "constraint"), "must be left out")
	is.Equal(c.do("POST", "/apply", `{}`).detail(t, "field"), "routes")                                     // what removes every route has to be written out
	is.Equal(c.do("POST", "/proxies", `{"upstream":"http://localhost:8001"}`).detail(t, "field"), "domain") // not the name that comes of it
	is.Equal(c.lab.Tree().Diff(before), "")
}

func TestHugeValuesAreRefusedAndNotEchoed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	huge := strings.Repeat("x", 500_000)
	for _, body := range []string{
		`{"domain":"` + huge + `","upstream_port":1}`,
		`{"` + huge + `":1}`,
		`{"domain":"a.example.test","upstream_port":1,"aliases":["` + huge + `"]}`,
		`{"domain":` + strings.Repeat("[", 100_000),
		`{"upstream_port":` + strings.Repeat("9", 100_000) + `}`,
	} {
		r := c.do("PUT", "/proxies/alpha", body)
		is.Equal(r.code(t), "INVALID_INPUT")
		is.True(len(r.body) < 2000)
	}
	r := c.do("PUT", "/proxies/alpha", `{"domain":"`+huge+huge+huge+`"}`)
	is.Equal(r.status, 413)
	is.Equal(r.code(t), "PAYLOAD_TOO_LARGE")
	r = c.do("GET", "/proxies/"+strings.Repeat("a", 50_000), "")
	is.Equal(r.status, 400)
	is.True(len(r.body) < 2000)
	is.True(len(c.log.String()) < 50_000) // nor does the log repeat them
}

func TestEveryFailureOfAChangeHasItsCode(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up, sick := c.lab.Upstream("alpha"), c.lab.Upstream("sick")
	sick.SetHealthy(false)
	c.put("alpha", up.Port())
	before := c.lab.Tree()

	r := c.do("PUT", "/proxies/sick", routeBody("sick", sick.Port(), ""))
	is.Equal(r.status, 422)
	is.Equal(r.code(t), "UPSTREAM_UNHEALTHY")
	is.Equal(c.lab.Tree().Diff(before), "")
	var told []string // of the failure, beside the step's own line
	for _, line := range lines(t, c.log.String()) {
		if line["error_code"] == "UPSTREAM_UNHEALTHY" && line["error"] != nil {
			told = append(told, line["action"].(string))
		}
	}
	is.Equal(told, []string{"put"}) // once, in the audit log

	r = c.do("PUT", "/proxies/other", routeBody("alpha", up.Port(), ""))
	is.Equal(r.status, 409)
	is.Equal(r.code(t), "DOMAIN_CONFLICT")
	is.Equal(c.do("POST", "/proxies/nobody/ssl", "").code(t), "PROXY_NOT_FOUND")
	is.Equal(c.do("GET", "/proxy-manager/sync-from-registry", "").code(t), "REGISTRY_NOT_CONFIGURED")

	foreign := filepath.Join(c.lab.SitesAvailable, "fpai-foreign.conf")
	is.NoErr(os.WriteFile(foreign, []byte("# by hand\n"), 0o644))
	r = c.do("PUT", "/proxies/foreign", routeBody("foreign", up.Port(), ""))
	is.Equal(r.status, 409)
	is.Equal(r.code(t), "UNMANAGED_FILE")
	is.NoErr(os.Remove(foreign))

	broken := filepath.Join(c.lab.ConfD, "broken.conf")
	is.NoErr(os.WriteFile(broken, []byte("nonsense;\n"), 0o644))
	r = c.do("PUT", "/proxies/beta", routeBody("beta", up.Port(), ""))
	is.Equal(r.status, 503)
	is.Equal(r.code(t), "NGINX_BROKEN")
	is.True(strings.Contains(fmt.Sprint(r.detail(t, "nginx_output")), "nonsense"))
	h := c.eventually("/proxy-manager/health", 503)
	is.Equal(h.status, 503)
	is.Equal(h.json(t)["status"], "unhealthy")
	is.NoErr(os.Remove(broken))
}

func TestALockThatSomebodyElseHoldsIs423(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{engine: func(o *engine.Options) { o.State.LockTimeout = -1 }})
	up := c.lab.Upstream("up")
	c.put("alpha", up.Port()) // the lock is there from now on
	lock, err := os.Open(filepath.Join(c.lab.StateDir, "lock"))
	is.NoErr(err)
	defer lock.Close()
	is.NoErr(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)) // as another process does
	r := c.do("PUT", "/proxies/beta", routeBody("beta", up.Port(), ""))
	is.Equal(r.status, 423)
	is.Equal(r.code(t), "LOCKED")
	is.True(r.header.Get("Retry-After") != "")
	is.Equal(c.do("GET", "/proxies", "").status, 200) // reads don't wait
}

func TestFortyParallelPutsAllServe(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("up")
	var wg sync.WaitGroup
	status := make([]int, 40)
	for i := range status {
		wg.Go(func() {
			name := fmt.Sprintf("p%02d", i)
			status[i] = c.do("PUT", "/proxies/"+name, routeBody(name, up.Port(), "")).status
		})
	}
	wg.Wait()
	for i := range status {
		is.Equal(status[i], 201)
		got, err := c.lab.Get(fmt.Sprintf("p%02d.example.test", i), "/name")
		is.NoErr(err)
		is.Equal(got.Body, "up\n")
	}
}

func TestAmongParallelPutsOnlyTheGuiltyFail(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up, sick := c.lab.Upstream("up"), c.lab.Upstream("sick")
	sick.SetHealthy(false)
	c.put("taken", up.Port())
	var wg sync.WaitGroup
	replies := make([]reply, 20)
	for i := range replies {
		wg.Go(func() {
			name, domain, port := fmt.Sprintf("p%02d", i), fmt.Sprintf("p%02d", i), up.Port()
			switch i {
			case 7:
				port = sick.Port()
			case 13:
				domain = "taken"
			}
			replies[i] = c.do("PUT", "/proxies/"+name, routeBody(domain, port, ""))
		})
	}
	wg.Wait()
	for i, r := range replies {
		switch i {
		case 7:
			is.Equal(r.code(t), "UPSTREAM_UNHEALTHY")
		case 13:
			is.Equal(r.code(t), "DOMAIN_CONFLICT")
		default:
			is.Equal(r.status, 201)
		}
	}
}

func TestSlowAndBrokenClientsDisturbNobody(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	address := strings.TrimPrefix(c.base, "http://")
	for i := range 200 {
		conn, err := net.Dial("tcp", address)
		is.NoErr(err)
		defer conn.Close()
		switch i % 4 {
		case 0: // says nothing
		case 1:
			_, _ = io.WriteString(conn, "GET /proxies HTTP/1.1\r\nHo")
		case 2:
			_, _ = io.WriteString(conn, "PUT /proxies/x HTTP/1.1\r\nHost: "+address+"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
		case 3:
			_, _ = io.WriteString(conn, "\x16\x03\x01 nonsense\r\n\r\n")
			conn.Close()
		}
	}
	begin := time.Now()
	c.put("alpha", up.Port())
	is.Equal(c.do("GET", "/health", "").status, 200)
	is.True(time.Since(begin) < 5*time.Second)
}

func TestAClientThatHangsUpDoesNotUndoItsChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{engine: func(o *engine.Options) { o.Upstreams.CheckTimeout = 5 * time.Second }})
	up := c.lab.Upstream("alpha")
	up.SetDelay(300 * time.Millisecond)
	body := routeBody("alpha", up.Port(), "")
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
	is.NoErr(err)
	var req bytes.Buffer
	fmt.Fprintf(&req, "PUT /proxies/alpha HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", conn.RemoteAddr(), len(body), body)
	_, err = conn.Write(req.Bytes())
	is.NoErr(err)
	c.until(func() bool { return up.Requests() > 0 })
	conn.Close()
	c.eventually("/proxies/alpha", 200)
}

func TestEveryRequestStepAndChangeIsLoggedWithTheContractsFields(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	is.Equal(c.do("PUT", "/proxies/alpha", routeBody("alpha", up.Port(), ""), "X-Correlation-ID", "cid-1").status, 201)
	is.Equal(c.do("GET", "/proxies/nobody", "", "X-Correlation-ID", "cid-2").status, 404)
	actions := map[string]map[string]any{}
	for _, m := range lines(t, c.log.String()) {
		for _, field := range []string{"timestamp", "level", "correlation_id", "droplet_name", "domain", "action", "result", "error_code", "duration_ms"} {
			if _, ok := m[field]; !ok {
				t.Errorf("no %s in %v", field, m)
			}
		}
		actions[fmt.Sprint(m["correlation_id"], " ", m["action"])] = m
	}
	for _, action := range []string{"cid-1 PUT /proxies/{droplet_name}", "cid-1 check_health", "cid-1 write_file", "cid-1 reload", "cid-1 verify", "cid-1 put"} {
		is.True(actions[action] != nil)
	}
	audit := actions["cid-1 put"]
	is.Equal(audit["audit"], true)
	is.Equal(audit["actor"], "test")
	is.Equal(audit["droplet_name"], "alpha")
	is.True(len(audit["plan_id"].(string)) == 64)
	is.Equal(actions["cid-2 GET /proxies/{droplet_name}"]["error_code"], "PROXY_NOT_FOUND")
}
