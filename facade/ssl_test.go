package facade_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

// startWithCA starts a lab with a CA of its own, which certbot believes, and a server in front of it.
func startWithCA(t *testing.T, lab enginetest.Options, s setup) *client {
	t.Helper()
	lab.ACME = true
	l := enginetest.Start(t, lab)
	t.Setenv("REQUESTS_CA_BUNDLE", l.CABundle)
	return serve(t, l, s)
}

// secureBody is the body of a PUT of a route with HTTPS.
func secureBody(name string, port int) string {
	return strings.Replace(routeBody(name, port, ""), `"enable_ssl":false`, `"enable_ssl":true`, 1)
}

func TestARouteGetsItsCertificateByASecondCall(t *testing.T) {
	is := is.New(t)
	c := startWithCA(t, enginetest.Options{}, setup{})
	up := c.lab.Upstream("alpha")
	r := c.do("PUT", "/proxies/alpha", secureBody("alpha", up.Port()))
	is.Equal(r.status, 202)
	waiting := r.header.Get("ETag")
	next := r.json(t)["next"].(map[string]any)
	r = c.do(next["method"].(string), next["path"].(string)+"?dry_run=true", "")
	is.Equal(r.status, 200)
	is.True(strings.Contains(r.body, "issue_certificate"))

	r = c.do(next["method"].(string), next["path"].(string), `{"email":"ops@example.test"}`)
	is.Equal(r.status, 200)
	m := r.json(t)
	is.Equal(m["domain"], "alpha.example.test")
	is.Equal(m["status"], "active")
	expiry, err := time.Parse(time.RFC3339, m["expiry"].(string))
	is.NoErr(err)
	is.True(time.Until(expiry) > 24*time.Hour)
	is.True(m["issuer"] != "")
	got, err := c.lab.GetTLS("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n")

	one := c.do("GET", "/proxies/alpha", "")
	m = one.json(t)
	is.Equal(m["ssl_enabled"], true)
	is.True(one.header.Get("ETag") != waiting)
	certificate := m["certificate"].(map[string]any)
	is.Equal(certificate["managed"], true)
	is.Equal(certificate["served_serial"], certificate["serial"])
	is.True(!strings.Contains(one.body, "PRIVATE KEY"))

	r = c.do("POST", "/proxies/alpha/ssl", `{"force_renew":true}`)
	is.Equal(r.status, 200)
	is.True(c.do("GET", "/proxies/alpha", "").json(t)["certificate"].(map[string]any)["serial"] != certificate["serial"])
	metrics := c.do("GET", "/metrics", "").body
	is.True(strings.Contains(metrics, `proxy_manager_certificate_expiry_timestamp_seconds{name="alpha"} `))
	is.True(strings.Contains(metrics, "proxy_manager_certificate_issue_duration_seconds_count 1\n"))
	health := c.do("GET", "/proxy-manager/health", "").json(t)["ssl"].(map[string]any)
	is.Equal(health["certbot_present"], true)
	// certbot trusts this CA, whose certificate is not among the system's; so it is there.
	is.Equal(c.do("GET", "/dependencies", "").json(t)["missing"], []any{})

	is.Equal(c.do("POST", "/proxies/alpha/ssl", `{"email":"no address"}`).code(t), "INVALID_INPUT")
	is.Equal(c.do("POST", "/proxies/alpha/ssl", `{"Force_Renew":true}`).code(t), "INVALID_INPUT")
}

func TestWithAutoIssueSSLThePutObtainsTheCertificate(t *testing.T) {
	is := is.New(t)
	c := startWithCA(t, enginetest.Options{}, setup{facade: func(o *facade.Options) { o.AutoIssueSSL = true }})
	up := c.lab.Upstream("alpha")
	r := c.do("PUT", "/proxies/alpha", secureBody("alpha", up.Port()))
	is.Equal(r.status, 201)
	is.Equal(r.json(t)["ssl_enabled"], true)
	got, err := c.lab.GetTLS("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n")
}

func TestACertificateThatCannotBeHadSaysWhyAndLeavesTheRouteOnHTTP(t *testing.T) {
	is := is.New(t)
	c := startWithCA(t, enginetest.Options{}, setup{})
	up := c.lab.Upstream("alpha")
	body := strings.Replace(secureBody("blocked", up.Port()), "blocked.example.test", enginetest.BlockedDomain, 1)
	is.Equal(c.do("PUT", "/proxies/blocked", body).status, 202)
	r := c.do("POST", "/proxies/blocked/ssl", "")
	is.Equal(r.status, 502)
	is.Equal(r.code(t), "SSL_ISSUANCE_FAILED")
	is.True(r.detail(t, "reason") != nil)
	is.Equal(c.do("GET", "/proxies/blocked", "").json(t)["status"], "pending_ssl")

	r = c.do("POST", "/proxies/blocked/ssl", "") // who asks again is served again
	is.Equal(r.status, 502)

	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	is.NoErr(os.WriteFile(filepath.Join(c.lab.StateDir, "certificates.json"), []byte(`{"attempts":{"fpai-blocked":{"failures":1,"until":"`+until+`","asked":true}}}`), 0o600))
	r = c.do("POST", "/proxies/blocked/ssl", "") // unless the CA itself has said when
	is.Equal(r.status, 429)
	is.Equal(r.code(t), "SSL_RATE_LIMITED")
	seconds, err := strconv.Atoi(r.header.Get("Retry-After"))
	is.NoErr(err)
	is.True(seconds > 0)
}
