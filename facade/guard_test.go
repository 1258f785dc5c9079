package facade_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestNoWebPageCanDriveIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	u, err := url.Parse(c.base)
	is.NoErr(err)
	for _, headers := range [][]string{
		{"Host", "evil.example.com"},
		{"Host", "evil.example.com:" + u.Port()},
		{"Host", "127.0.0.1"},
		{"Host", "localhost:1"},
		{"Host", "localhost.evil.example.com:" + u.Port()},
		{"Origin", "http://evil.example.com"},
		{"Origin", "null"},
		{"Origin", "http://localhost:3000"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
	} {
		for _, call := range []struct{ method, path string }{
			{"GET", "/proxies"}, {"PUT", "/proxies/alpha"}, {"DELETE", "/proxies/alpha"}, {"GET", "/proxy-manager/sync-from-registry"},
			{"GET", "/metrics"}, {"GET", "/openapi.json"}, {"GET", "/nothing"}, {"OPTIONS", "/proxies"}, {"POST", "/message"}, {"POST", "/health"},
		} {
			r := c.do(call.method, call.path, "", headers...)
			is.Equal(r.status, 403)
			is.Equal(r.code(t), "FORBIDDEN")
		}
		is.Equal(c.do("GET", "/health", "", headers...).status, 200)
	}
	for _, headers := range [][]string{
		{"Host", "localhost:" + u.Port()}, {"Host", "[::1]:" + u.Port()}, {"Origin", c.base}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"},
	} {
		r := c.do("GET", "/proxies", "", headers...)
		is.Equal(r.status, 200)
		for name := range r.header {
			is.True(!strings.HasPrefix(name, "Access-Control-"))
		}
	}
}

func TestOnlyDeclaredJSONIsTaken(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	body := routeBody("alpha", 1, "")
	for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "text/json", "application/json+x", "application/json; boundary=x", "application/json;charset=utf-16", "multipart/form-data", "application/json, text/plain"} {
		r := c.do("PUT", "/proxies/alpha", body, "Content-Type", media)
		is.Equal(r.status, 415)
		is.Equal(r.code(t), "UNSUPPORTED_MEDIA_TYPE")
	}
	is.Equal(c.do("PUT", "/proxies/alpha?dry_run=true", body, "Content-Type", "Application/JSON; charset=UTF-8").status, 200)
	is.Equal(c.do("PUT", "/proxies/alpha", body, "Content-Encoding", "gzip").status, 415)
}

func TestWhatIsNoEndpointIsAnsweredInJSON(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	for _, path := range []string{"/", "/nothing", "/proxies/", "/proxies/a/b", "//proxies", "/proxies/../health", "/proxies/%2e%2e/health"} {
		r := c.do("GET", path, "")
		is.Equal(r.status, 404)
		is.Equal(r.code(t), "NOT_FOUND")
	}
	r := c.do("PATCH", "/proxies/alpha", "")
	is.Equal(r.status, 405)
	is.Equal(r.code(t), "METHOD_NOT_ALLOWED")
	is.Equal(r.header.Get("Allow"), "DELETE, GET, HEAD, PUT")
	is.Equal(c.do("OPTIONS", "/apply", "").header.Get("Allow"), "POST")
	is.Equal(c.do("HEAD", "/health", "").status, 200)
}

func TestTheCorrelationIDIsTakenOverIfItIsWellFormed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	is.Equal(c.do("GET", "/health", "", "X-Correlation-ID", "req-1:a.b").header.Get("X-Correlation-ID"), "req-1:a.b")
	for _, wrong := range []string{"a b", "<script>", strings.Repeat("x", 129), `"`} {
		got := c.do("GET", "/health", "", "X-Correlation-ID", wrong).header.Get("X-Correlation-ID")
		is.True(got != wrong && len(got) == 32)
	}
}
