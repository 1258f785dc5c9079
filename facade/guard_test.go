package facade_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/facade"
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
		{"Host", "proxy-manager"},
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
		{"Host", "localhost:" + u.Port()}, {"Host", "localhost:9000"}, {"Host", "[::1]:" + u.Port()}, {"Origin", c.base}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"},
	} {
		r := c.do("GET", "/proxies", "", headers...)
		is.Equal(r.status, 200)
		for name := range r.header {
			is.True(!strings.HasPrefix(name, "Access-Control-"))
		}
	}
}

func TestANameThatIsListedIsTheServersOwn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{facade: func(o *facade.Options) { o.AllowedHosts = []string{"proxy-manager", "pm.example.com"} }})
	for _, headers := range [][]string{
		{"Host", "proxy-manager:8100"}, // a compose service
		{"Host", "pm.example.com", "Origin", "https://pm.example.com", "Sec-Fetch-Site", "same-origin"}, // behind a proxy that ends TLS
		{"Host", "localhost:9000", "Origin", "http://localhost:9000", "Sec-Fetch-Site", "same-origin"},  // through a tunnel
	} {
		is.Equal(c.do("GET", "/proxies", "", headers...).status, 200)
		is.Equal(c.do("POST", "/message", `{"message_type":"ping"}`, headers...).status, 200)
	}
	is.Equal(c.do("GET", "/proxies", "", "Host", "other.example.com").status, 403)
	is.Equal(c.do("GET", "/proxies", "", "Host", "pm.example.com", "Origin", "https://other.example.com").status, 403)
}

func TestALinkFromAChatLeadsToHealthAndToNothingElse(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	link := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-User", "?1"}
	is.Equal(c.do("GET", "/health", "", link...).status, 200)
	is.Equal(c.do("GET", "/proxy-manager/health", "", link...).status, 200)
	is.Equal(c.do("GET", "/proxies", "", link...).status, 403)
}

func TestAPageOrALinkCannotSyncByGet(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	for _, headers := range [][]string{{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "image"}, {"Origin", c.base}} {
		is.Equal(c.do("GET", "/proxy-manager/sync-from-registry", "", headers...).code(t), "FORBIDDEN")
		is.Equal(c.do("POST", "/proxy-manager/sync-from-registry", "", headers...).code(t), "REGISTRY_NOT_CONFIGURED")
		is.Equal(c.do("GET", "/proxy-manager/sync-from-registry?dry_run=true", "", headers...).code(t), "REGISTRY_NOT_CONFIGURED")
	}
	is.Equal(c.do("GET", "/proxy-manager/sync-from-registry", "").code(t), "REGISTRY_NOT_CONFIGURED")
}

func TestAClientOfHTTP10HasToSayWhomItMeans(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	ask := func(request string) string {
		conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
		is.NoErr(err)
		defer conn.Close()
		_, err = io.WriteString(conn, request+"\r\n\r\n")
		is.NoErr(err)
		status, err := bufio.NewReader(conn).ReadString('\n')
		is.NoErr(err)
		return strings.Fields(status)[1]
	}
	is.Equal(ask("GET /proxies HTTP/1.0"), "403")
	is.Equal(ask("GET /proxies HTTP/1.0\r\nHost: localhost"), "200")
	is.Equal(ask("GET http://evil.example.com/proxies HTTP/1.0\r\nHost: localhost"), "403")
	is.Equal(ask("GET /health HTTP/1.0"), "200")
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

func TestOverAUnixSocketAnyNameOfOneLabelWillDo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	socket := filepath.Join(t.TempDir(), "pm.sock")
	l, err := net.Listen("unix", socket)
	is.NoErr(err)
	server := &http.Server{Handler: c.api}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	local := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", socket)
	}}}
	for host, status := range map[string]int{"unix": 200, "localhost": 200, "pm:80": 200, "evil.example.com": 403} {
		res, err := local.Get("http://" + host + "/proxies")
		is.NoErr(err)
		is.NoErr(res.Body.Close())
		is.Equal(res.StatusCode, status)
	}
}
