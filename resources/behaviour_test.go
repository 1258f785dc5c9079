package resources_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A world is a running nginx with routes in it, and an upstream that answers with the request it got.
type world struct {
	*nginx
	settings resources.Settings
	upstream int
}

// newWorld starts nothing yet: routes come first.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{nginx: newNginx(t)}
	version, openssl := installed(t)
	w.settings = resources.Settings{
		HTTPPort: freePort(t), HTTPSPort: freePort(t), IPv6: hasIPv6(), Nginx: version, OpenSSL: openssl,
		Webroot: w.webroot(), UpstreamCAFile: w.files.Fullchain,
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort(nameServer(t))},
	}
	w.upstream = portOf(echo(t, "127.0.0.1:0").Listener.Addr())
	shared(t, w.nginx, w.settings)
	return w
}

func (w *world) route(t *testing.T, cert *resources.CertificateFiles, f resources.RouteFields) {
	t.Helper()
	if f.UpstreamPort == 0 {
		f.UpstreamPort = w.upstream
	}
	r, err := resources.NewRoute(f)
	must(t, err)
	text, err := r.Render(w.settings, cert)
	must(t, err)
	w.site(t, r.FileName(), text)
}

// echo starts an upstream that answers every request with the text of it.
func echo(t *testing.T, address string) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Accel-Redirect", "/.well-known/acme-challenge/token")
		w.Header().Set("Set-Cookie", strings.Repeat("c", 6000)) // more than nginx's default buffer holds
		fmt.Fprintf(w, "%s %s\nHost: %s\n", r.Method, r.RequestURI, r.Host)
		r.Header.Write(w)
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func portOf(a net.Addr) int { return a.(*net.TCPAddr).Port }

func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// get asks nginx for a URL of a domain, without following redirects.
func (w *world) get(t *testing.T, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // by a certificate of the test's own making
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				port := w.settings.HTTPPort
				if strings.HasSuffix(address, ":443") {
					port = w.settings.HTTPSPort
				}
				return dial(ctx, port)
			},
		},
	}
	r, err := http.NewRequest("GET", url, nil)
	must(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		return nil, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(body)
}

// dial waits for nginx to be there, but not for ever.
func dial(ctx context.Context, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil || ctx.Err() != nil {
			return c, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestClientCannotForgeWhatTheUpstreamIsTold(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com"})
	w.start(t)
	var headers []string
	forged := []string{"X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "Forwarded", "Proxy",
		"X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Ssl", "X-Original-URL", "X-Rewrite-URL", "True-Client-IP"}
	for _, h := range forged {
		headers = append(headers, h, "forged", strings.ToLower(h), "forged")
	}
	// And none of them can be had removed on the way (CVE-2024-45410 in another proxy).
	headers = append(headers, "Connection", "X-Forwarded-For, X-Real-IP, X-Forwarded-Host")
	resp, body := w.get(t, "http://alpha.example.com/p%2e%2e/x?y=%00", headers...)
	is.Equal(resp.StatusCode, 200)
	is.True(!strings.Contains(body, "forged"))
	for _, want := range []string{"GET /p%2e%2e/x?y=%00\n", "Host: alpha.example.com\n", "X-Forwarded-For: 127.0.0.1\r", "X-Real-Ip: 127.0.0.1\r",
		"X-Forwarded-Host: alpha.example.com\r", "X-Forwarded-Proto: http\r", "X-Forwarded-Port: " + strconv.Itoa(w.settings.HTTPPort) + "\r"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	is.Equal(resp.Header.Get("Server"), "nginx") // without its version
}

func TestTrustedProxyIsBelievedUpToTheFirstAddressThatIsNotTrusted(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.settings.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com"})
	w.start(t)
	_, body := w.get(t, "http://alpha.example.com/", "X-Forwarded-For", "192.0.2.66, 198.51.100.7, 10.1.1.1")
	is.True(strings.Contains(body, "X-Forwarded-For: 198.51.100.7\r"))
	is.True(strings.Contains(body, "X-Real-Ip: 198.51.100.7\r"))
	is.True(!strings.Contains(body, "192.0.2.66"))
}

func TestOnlyAWebSocketUpgrades(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com"})
	w.start(t)
	_, body := w.get(t, "http://alpha.example.com/", "Upgrade", "WebSocket", "Connection", "Upgrade")
	is.True(strings.Contains(body, "Upgrade: websocket\r"))
	is.True(strings.Contains(body, "Connection: upgrade\r"))
	_, body = w.get(t, "http://alpha.example.com/", "Upgrade", "h2c", "Connection", "Upgrade, HTTP2-Settings")
	is.True(!strings.Contains(body, "Upgrade:"))
	is.True(!strings.Contains(body, "Connection:"))
}

func TestHTTPSRouteRedirectsAndAnswersChallengesOnBothPorts(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, &w.files, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", Aliases: []string{"b.example.com"}, HSTS: new(true)})
	w.route(t, &w.files, resources.RouteFields{DropletName: "beta", Domain: "beta.example.com"})
	must(t, os.WriteFile(filepath.Join(w.webroot(), ".well-known/acme-challenge/token"), []byte("answer"), 0o644))
	must(t, os.Symlink("/etc/passwd", filepath.Join(w.webroot(), ".well-known/acme-challenge/link")))
	w.start(t)
	port := ":" + strconv.Itoa(w.settings.HTTPSPort)
	for host, target := range map[string]string{"alpha": "alpha", "b": "b", "beta": "beta"} {
		resp, _ := w.get(t, "http://"+host+".example.com/a%0d%0ab?c=d&e=%2F")
		is.Equal(resp.StatusCode, 301)
		is.Equal(resp.Header.Get("Location"), "https://"+target+".example.com"+port+"/a%0d%0ab?c=d&e=%2F")
	}
	for _, scheme := range []string{"http", "https"} {
		resp, body := w.get(t, scheme+"://alpha.example.com/.well-known/acme-challenge/token")
		is.Equal(body, "answer")
		is.Equal(resp.Header.Get("Content-Type"), "text/plain")
		resp, _ = w.get(t, scheme+"://alpha.example.com/.well-known/acme-challenge/none")
		is.Equal(resp.StatusCode, 404)
		resp, body = w.get(t, scheme+"://alpha.example.com/.well-known/acme-challenge/link")
		is.True(resp.StatusCode >= 400 && !strings.Contains(body, "root:"))
	}
	resp, body := w.get(t, "https://alpha.example.com/x")
	is.Equal(resp.StatusCode, 200)
	is.Equal(resp.ProtoMajor, 2)
	is.Equal(resp.Header["Strict-Transport-Security"], []string{"max-age=63072000"})
	is.True(strings.Contains(body, "X-Forwarded-Proto: https\r"))
	is.True(strings.HasPrefix(body, "GET /x\n")) // not what X-Accel-Redirect asked for
	resp, _ = w.get(t, "https://beta.example.com/")
	is.Equal(resp.Header.Get("Strict-Transport-Security"), "") // HSTS only where it is wanted
}

func TestUnknownHostsAreNotAnswered(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, &w.files, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com"})
	w.start(t)
	resp, _ := w.get(t, "http://other.example.com/")
	is.Equal(resp, nil) // the connection was closed
	resp, err := w.get(t, "https://other.example.com/")
	is.Equal(resp, nil)
	is.True(strings.Contains(err, "unrecognized name"))
	// A handshake for a name that is served, then a request for one that is not.
	conn, dialErr := dial(t.Context(), w.settings.HTTPSPort)
	is.NoErr(dialErr)
	defer conn.Close()
	secure := tls.Client(conn, &tls.Config{ServerName: "alpha.example.com", InsecureSkipVerify: true})
	fmt.Fprint(secure, "GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n")
	_, readErr := http.ReadResponse(bufio.NewReader(secure), nil)
	is.True(readErr != nil)
}

func TestOldTLSIsRefused(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, &w.files, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com"})
	w.start(t)
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		conn, err := dial(t.Context(), w.settings.HTTPSPort)
		is.NoErr(err)
		secure := tls.Client(conn, &tls.Config{ServerName: "alpha.example.com", InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
		is.Equal(secure.Handshake() == nil, want)
		conn.Close()
	}
}

func TestLocalhostIsReachedByEitherFamilyAndRightAfterARestart(t *testing.T) {
	is := is.New(t)
	if !hasIPv6() {
		t.Skip("the host has no IPv6")
	}
	w := newWorld(t)
	port := freePort(t)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", UpstreamPort: port})
	w.start(t)
	for _, address := range []string{"127.0.0.1", "::1", "127.0.0.1", "::1"} {
		resp, _ := w.get(t, "http://alpha.example.com/")
		is.Equal(resp.StatusCode, 502) // nobody listens
		app := echo(t, net.JoinHostPort(address, strconv.Itoa(port)))
		resp, _ = w.get(t, "http://alpha.example.com/")
		is.Equal(resp.StatusCode, 200)
		app.Close()
	}
}

func TestUpstreamConnectionIsKept(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	seen := map[string]bool{}
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen[r.RemoteAddr] = true }))
	defer app.Close()
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", UpstreamPort: portOf(app.Listener.Addr())})
	w.route(t, nil, resources.RouteFields{DropletName: "beta", Domain: "beta.example.com", UpstreamHost: "127.0.0.1", UpstreamPort: portOf(app.Listener.Addr())})
	w.start(t)
	for range 10 {
		w.get(t, "http://alpha.example.com/")
		w.get(t, "http://beta.example.com/")
	}
	is.Equal(len(seen), 2) // one for each route, from the only worker
}

func TestNameThatDoesNotResolveHarmsNobody(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", UpstreamHost: "app.internal"})
	w.route(t, nil, resources.RouteFields{DropletName: "beta", Domain: "beta.example.com", UpstreamHost: "gone.invalid"})
	w.start(t) // the test of the configuration is part of it
	resp, body := w.get(t, "http://alpha.example.com/a%2fb?c")
	is.Equal(resp.StatusCode, 200)
	is.True(strings.HasPrefix(body, "GET /a%2fb?c\n"))
	resp, _ = w.get(t, "http://beta.example.com/")
	is.Equal(resp.StatusCode, 502)
}

func TestUpstreamOverTLSIsVerifiedByItsName(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	cert, err := tls.LoadX509KeyPair(w.files.Fullchain, w.files.PrivateKey) // for app.internal
	is.NoErr(err)
	names := make(chan string, 10)
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { names <- r.TLS.ServerName }))
	app.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	app.StartTLS()
	defer app.Close()
	for name, host := range map[string]string{"alpha": "app.internal", "beta": "other.name", "gamma": "127.0.0.1", "delta": "localhost"} {
		w.route(t, nil, resources.RouteFields{DropletName: name, Domain: name + ".example.com", UpstreamHost: host, UpstreamScheme: "https",
			UpstreamPort: portOf(app.Listener.Addr())})
	}
	w.start(t)
	for _, c := range []struct {
		name, sni string
		status    int
	}{{"alpha", "app.internal", 200}, {"beta", "", 502}, {"gamma", "", 200}, {"delta", "localhost", 200}} {
		resp, _ := w.get(t, "http://"+c.name+".example.com/")
		is.Equal(resp.StatusCode, c.status)
		if c.status == 200 {
			is.Equal(<-names, c.sni)
		}
	}
}

func TestDomainOfFullLengthIsServed(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	long := longDomain(253, ".example.com")
	is.Equal(len(long), 253)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: long})
	w.route(t, nil, resources.RouteFields{DropletName: "beta", Domain: "x" + long[1:], UpstreamPort: 1})
	w.start(t)
	resp, body := w.get(t, "http://"+long+"/")
	is.Equal(resp.StatusCode, 200)
	is.True(strings.Contains(body, "Host: "+long+"\n"))
	resp, _ = w.get(t, "http://x"+long[1:]+"/")
	is.Equal(resp.StatusCode, 502) // the other route
	// The dots of the expression are dots.
	resp, _ = w.get(t, "http://"+strings.Replace(long, ".example", "xexample", 1)+"/")
	is.Equal(resp, nil)
}

func TestBodyLargerThanTheLimitIsRefused(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	w.route(t, nil, resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", MaxBodySize: "1k"})
	w.start(t)
	conn, err := dial(t.Context(), w.settings.HTTPPort)
	is.NoErr(err)
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: alpha.example.com\r\nContent-Length: 1025\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	is.NoErr(err)
	is.Equal(resp.StatusCode, 413)
}

// nameServer answers DNS questions for A records: 127.0.0.1 for every name but those that end in "invalid".
func nameServer(t *testing.T) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			conn.WriteTo(answer(buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

// answer makes a DNS message (RFC 1035, section 4) of the question: the same header and question, one record or none.
func answer(question []byte) []byte {
	const header, fixed = 12, 4
	end := header + strings.IndexByte(string(question[header:]), 0) + 1 + fixed
	reply := append([]byte(nil), question[:end]...)
	reply[2], reply[3] = 0x81, 0x80             // an answer, recursion available
	copy(reply[6:12], []byte{0, 0, 0, 0, 0, 0}) // no records yet
	isA := binary.BigEndian.Uint16(question[end-fixed:]) == 1
	switch {
	case strings.Contains(string(question), "invalid"):
		reply[3] |= 3 // there is no such name
	case isA:
		reply[7] = 1
		reply = append(reply, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	return reply
}
