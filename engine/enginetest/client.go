package enginetest

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const clientTimeout = 15 * time.Second

// localClient talks to the lab's own parts over plain HTTP.
var localClient = newClient(nil)

// newClient returns a client that asks no proxy, and opens a connection for each request: an idle one would still be
// with a worker, or a CA, that has been replaced.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Timeout:   clientTimeout,
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}
}

// fetch returns the body of a 2xx answer.
func fetch(c *http.Client, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %.200s", method, url, res.Status, b)
	}
	return b, nil
}

// A Response is what came back through nginx, read to its end.
type Response struct {
	Status int
	Proto  string // "HTTP/2.0" or "HTTP/1.1"
	Header http.Header
	Body   string
	TLS    *tls.ConnectionState // nil over plain HTTP
}

// Get asks the lab's HTTP port for http://domain/path on a connection of its own. It follows no redirect.
func (l *Lab) Get(domain, path string) (Response, error) {
	return l.get("http://" + domain + path)
}

// GetTLS asks the lab's HTTPS port for https://domain/path on a connection of its own, verifies the certificate
// against [Lab.Roots] and offers HTTP/2. It follows no redirect.
func (l *Lab) GetTLS(domain, path string) (Response, error) {
	return l.get("https://" + domain + path)
}

func (l *Lab) get(url string) (Response, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return Response{}, err
	}
	return l.Do(req)
}

// Do sends a request to the lab's nginx: to the HTTP or HTTPS port by the URL's scheme, whatever its host resolves to.
func (l *Lab) Do(req *http.Request) (Response, error) {
	client := &http.Client{
		Timeout:       clientTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:       l.dialTo(req.URL.Scheme),
			TLSClientConfig:   &tls.Config{RootCAs: l.Roots()},
			DisableKeepAlives: true,
			ForceAttemptHTTP2: true,
		},
	}
	res, err := client.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return Response{}, fmt.Errorf("read the answer of %s: %w", req.URL, err)
	}
	return Response{Status: res.StatusCode, Proto: res.Proto, Header: res.Header, Body: string(body), TLS: res.TLS}, nil
}

func (l *Lab) dialTo(scheme string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", l.address(scheme))
	}
}

// address returns where nginx listens for http, https, ws or wss.
func (l *Lab) address(scheme string) string {
	port := l.HTTPPort
	if scheme == "https" || scheme == "wss" {
		port = l.HTTPSPort
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
