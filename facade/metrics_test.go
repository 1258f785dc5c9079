package facade_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestPromtoolHasNothingToSayAboutTheMetrics(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	c.put("alpha", up.Port())
	is.Equal(c.do("PUT", "/proxies/beta", routeBody("alpha", up.Port(), "")).status, 409)
	is.Equal(c.do("XYZZY", "/nothing", "").status, 404)
	r := c.do("GET", "/metrics", "")
	is.Equal(r.status, 200)
	is.True(strings.HasPrefix(r.header.Get("Content-Type"), "text/plain; version=0.0.4"))

	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(r.body)
	out, err := check.CombinedOutput()
	is.NoErr(err)
	is.Equal(string(out), "")

	for _, line := range []string{
		`proxy_manager_routes{status="active"} 1`,
		`proxy_manager_reloads_total 1`,
		`proxy_manager_applies_total{operation="put",code="OK"} 1`,
		`proxy_manager_failures_total{code="DOMAIN_CONFLICT"} 1`,
		`proxy_manager_config_test_duration_seconds_count 1`,
		`proxy_manager_verify_duration_seconds_count 1`,
		`proxy_manager_http_requests_total{method="PUT",endpoint="/proxies/{droplet_name}",status="201"} 1`,
		`proxy_manager_http_requests_total{method="",endpoint="unknown",status="404"} 1`,
		`proxy_manager_nginx_up 1`,
		`proxy_manager_upstream_healthy{droplet_name="alpha"} 1`,
	} {
		if !strings.Contains(r.body, line+"\n") {
			t.Errorf("%s is not in\n%s", line, r.body)
		}
	}
}
