package facade_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

func TestHealthSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	r := c.do("GET", "/proxy-manager/health", "")
	is.Equal(r.status, 200)
	m := r.json(t)
	is.Equal(m["status"], "healthy")
	nginx := m["nginx"].(map[string]any)
	is.Equal(nginx["present"], true)
	is.Equal(nginx["config_test_ok"], true)
	is.True(nginx["version"] != "")
	is.Equal(c.do("GET", "/health", "").json(t)["status"], "healthy")

	is.NoErr(c.lab.StopNginx())
	r = c.eventually("/proxy-manager/health", 503) // what was seen is believed for two seconds
	is.Equal(r.status, 503)
	is.Equal(r.json(t)["status"], "unhealthy")
	r = c.do("GET", "/health", "")
	is.Equal(r.status, 200)
	is.Equal(r.json(t)["status"], "unhealthy")
	is.Equal(c.do("GET", "/state", "").json(t)["status"], "error")
	is.True(strings.Contains(c.do("GET", "/dependencies", "").body, `"missing":["nginx"`))
	r = c.do("PUT", "/proxies/alpha", routeBody("alpha", c.lab.Upstream("alpha").Port(), ""))
	is.Equal(r.code(t), "NGINX_NOT_RUNNING")
	is.Equal(c.do("GET", "/proxies", "").status, 200)
}

func TestTheServerAnswersWhereNothingIsInstalled(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{engine: func(o *engine.Options) { o.Nginx.Bin, o.Certbot.Bin = "/nowhere/nginx", "/nowhere/certbot" }})
	r := c.do("GET", "/proxy-manager/health", "")
	is.Equal(r.status, 503)
	m := r.json(t)
	is.Equal(m["nginx"].(map[string]any)["present"], false)
	is.Equal(m["nginx"].(map[string]any)["config_test_ok"], false)
	is.Equal(m["ssl"].(map[string]any)["certbot_present"], false)
	is.Equal(c.do("PUT", "/proxies/alpha", routeBody("alpha", 1, "")).code(t), "NGINX_BROKEN")

	c = start(t, setup{engine: func(o *engine.Options) { o.Certbot.Bin = "/nowhere/certbot" }})
	r = c.do("GET", "/proxy-manager/health", "")
	is.Equal(r.status, 200)
	is.Equal(r.json(t)["status"], "degraded")
}

func TestTheStateCountsRealRequests(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	for range 5 {
		c.do("GET", "/proxies", "")
	}
	m := c.do("GET", "/state", "").json(t)
	is.Equal(m["requests_total"], 5.0)
	is.Equal(m["errors_last_hour"], 0.0)
	is.Equal(m["metrics"].(map[string]any)["requests_per_minute"], 5.0)
	c.do("GET", "/proxy-manager/sync-from-registry", "") // 503
	m = c.do("GET", "/proxy-manager/state", "").json(t)
	is.Equal(m["errors_last_hour"], 1.0)
	is.True(m["metrics"].(map[string]any)["error_rate_percent"].(float64) > 10)
	is.True(m["metrics"].(map[string]any)["average_response_time_ms"].(float64) > 0)
}

func TestTheOrchestratorIsToldAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	told := make(chan string, 10)
	orchestrator := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { told <- r.URL.Path }))
	defer orchestrator.Close()
	c := start(t, setup{facade: func(o *facade.Options) { o.OrchestratorURL = orchestrator.URL }})
	stop := c.run()
	select {
	case path := <-told:
		is.Equal(path, "/register")
	case <-time.After(5 * time.Second):
		t.Fatal("nobody was told")
	}
	stop() // it ends, whatever it waits for
}

// eventually asks until the status is that.
func (c *client) eventually(path string, status int) reply {
	c.t.Helper()
	var r reply
	c.until(func() bool {
		r = c.do("GET", path, "")
		return r.status == status
	})
	return r
}

func TestHealthIsWellWhileOnesOwnChangesComeAndGo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("up")
	is.Equal(c.do("GET", "/proxy-manager/health", "").json(t)["status"], "healthy")
	stop := make(chan struct{})
	var changes sync.WaitGroup
	changes.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				c.put("alpha", up.Port())
				is.Equal(c.do("DELETE", "/proxies/alpha", "").status, 200)
			}
		}
	})
	for deadline := time.Now().Add(6 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		r := c.do("GET", "/proxy-manager/health", "")
		is.Equal(r.status, 200)
		is.Equal(r.json(t)["status"], "healthy")
		is.Equal(c.do("GET", "/health", "").json(t)["status"], "healthy")
	}
	close(stop)
	changes.Wait()
}
