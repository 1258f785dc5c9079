package enginetest

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// An Upstream is a service for nginx to pass requests to, on a loopback port of its own:
//
//	GET /name        its name
//	GET /health      200, or 503 after SetHealthy(false)
//	ANY /echo...     the request as JSON, see [Echo]
//	GET /ws          a WebSocket (RFC 6455) that sends every message back
//	GET /status/N    the status N
//	GET /bytes/N     N bytes
//	GET /sleep/MS    an answer after MS milliseconds
//	GET /stream/N    N server-sent events, one every 50 ms
type Upstream struct {
	name      string
	port      int
	tls       *tls.Config
	unhealthy atomic.Bool
	delay     atomic.Int64
	requests  atomic.Int64
	server    atomic.Pointer[http.Server]
}

// Upstream starts a service that speaks HTTP/1.1 on 127.0.0.1. It ends with the lab.
func (l *Lab) Upstream(name string) *Upstream {
	return l.upstream(name, nil)
}

// UpstreamTLS starts a service that speaks HTTPS, with a certificate by the lab's own CA: for the given names, or for localhost
// and 127.0.0.1.
func (l *Lab) UpstreamTLS(name string, names ...string) *Upstream {
	if len(names) == 0 {
		names = []string{"localhost", "127.0.0.1"}
	}
	certPEM, keyPEM, err := l.ca.issue(names...)
	l.must(err)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	l.must(err)
	// No HTTP/2: nginx speaks HTTP/1.1 to its upstreams, and a WebSocket needs it.
	return l.upstream(name, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}})
}

func (l *Lab) upstream(name string, config *tls.Config) *Upstream {
	u := &Upstream{name: name, port: l.FreePort(), tls: config}
	l.must(u.Start())
	l.mu.Lock()
	l.upstreams = append(l.upstreams, u)
	l.mu.Unlock()
	return u
}

// Name returns the name that /name and the header X-Upstream answer.
func (u *Upstream) Name() string { return u.name }

// Port returns the TCP port on 127.0.0.1. It stays the same, and reserved, while the upstream is stopped.
func (u *Upstream) Port() int { return u.port }

// URL returns the base URL, without a slash at its end.
func (u *Upstream) URL() string {
	scheme := "http"
	if u.tls != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, u.port)
}

// Requests returns how many requests have come in, health checks included.
func (u *Upstream) Requests() int { return int(u.requests.Load()) }

// SetHealthy decides whether /health answers 200 or 503.
func (u *Upstream) SetHealthy(healthy bool) { u.unhealthy.Store(!healthy) }

// SetDelay makes every answer wait; 0 ends that.
func (u *Upstream) SetDelay(d time.Duration) { u.delay.Store(int64(d)) }

// Start listens again after Stop.
func (u *Upstream) Start() error {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(u.port)))
	if err != nil {
		return fmt.Errorf("upstream %s: %w", u.name, err)
	}
	if u.tls != nil {
		ln = tls.NewListener(ln, u.tls)
	}
	s := &http.Server{Handler: u.handler(), ReadHeaderTimeout: clientTimeout}
	u.server.Store(s)
	go s.Serve(ln)
	return nil
}

// Stop refuses connections and cuts those that are open, WebSockets excepted.
func (u *Upstream) Stop() {
	if s := u.server.Swap(nil); s != nil {
		s.Close()
	}
}

func (u *Upstream) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/name", u.sayName)
	mux.HandleFunc("/{$}", u.sayName)
	mux.HandleFunc("/health", u.health)
	mux.HandleFunc("/echo", u.echo)
	mux.HandleFunc("/echo/", u.echo)
	mux.HandleFunc("/ws", serveWebSocket)
	mux.HandleFunc("/status/{n}", numbered(func(w http.ResponseWriter, _ *http.Request, n int) {
		w.WriteHeader(min(max(n, 200), 599))
	}))
	mux.HandleFunc("/bytes/{n}", numbered(func(w http.ResponseWriter, _ *http.Request, n int) {
		w.Header().Set("Content-Length", strconv.Itoa(n))
		io.CopyN(w, zeros{}, int64(n))
	}))
	mux.HandleFunc("/sleep/{n}", numbered(func(w http.ResponseWriter, r *http.Request, n int) {
		wait(r, time.Duration(n)*time.Millisecond)
	}))
	mux.HandleFunc("/stream/{n}", numbered(stream))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.requests.Add(1)
		wait(r, time.Duration(u.delay.Load()))
		w.Header().Set("X-Upstream", u.name)
		mux.ServeHTTP(w, r)
	})
}

func (u *Upstream) sayName(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, u.name)
}

func (u *Upstream) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if u.unhealthy.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, `{"status":"unhealthy"}`)
		return
	}
	fmt.Fprintln(w, `{"status":"healthy"}`)
}

// An Echo is a request as an upstream received it: what /echo answers.
type Echo struct {
	Name       string      `json:"name"`
	Method     string      `json:"method"`
	Path       string      `json:"path"` // with the query
	Proto      string      `json:"proto"`
	Host       string      `json:"host"`
	Client     string      `json:"client"` // the address it came from: nginx's
	TLS        bool        `json:"tls"`
	Header     http.Header `json:"header"`
	BodyLength int64       `json:"body_length"`
}

func (u *Upstream) echo(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(Echo{
		Name: u.name, Method: r.Method, Path: r.RequestURI, Proto: r.Proto, Host: r.Host,
		Client: r.RemoteAddr, TLS: r.TLS != nil, Header: r.Header, BodyLength: n,
	})
}

// Echo reads the response as what an upstream's /echo received.
func (r Response) Echo() (e Echo, err error) {
	if err := json.Unmarshal([]byte(r.Body), &e); err != nil {
		return Echo{}, fmt.Errorf("status %d is no echo: %w: %.200s", r.Status, err, strings.TrimSpace(r.Body))
	}
	return e, nil
}

func stream(w http.ResponseWriter, r *http.Request, n int) {
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range n {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", i); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		wait(r, 50*time.Millisecond)
	}
}

// numbered passes on the number at the end of the path; a bad one is a 404.
func numbered(h func(w http.ResponseWriter, r *http.Request, n int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseUint(r.PathValue("n"), 10, 31)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		h(w, r, int(n))
	}
}

// wait returns after d, or when the client has gone.
func wait(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
