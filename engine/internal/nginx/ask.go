package nginx

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
)

// A Question is a request whose right answer one server of nginx alone can give.
type Question struct {
	Address string // of a listener, host:port
	TLS     bool   // it speaks TLS
	Name    string // that is asked for, in Host and SNI
	Path    string
	Want    string // the body of the answer, but for white space around it
}

// askTimeout is for one question; the listener is on this host.
const askTimeout = 5 * time.Second

// Ask returns nil if the answer is right. Of a wrong one nothing but its status is told.
func (n *Nginx) Ask(ctx context.Context, q Question) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	scheme := "http"
	if q.TLS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+q.Name+q.Path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	req.Header.Set("User-Agent", "proxy-manager")
	transport := &http.Transport{
		DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, q.Address)
		},
		TLSClientConfig: &tls.Config{ServerName: q.Name, InsecureSkipVerify: true}, //nolint:gosec // asks who answers, not whom to trust
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("%s does not answer for it: %s", q.Address, plain.NetError(err))
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	switch {
	case resp.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == q.Want:
		return nil
	case resp.StatusCode == http.StatusOK:
		return fmt.Errorf("another site answers for it at %s", q.Address)
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("at %s rules of access (auth_basic, auth_request, deny) of another site or of nginx.conf refuse even a CA's challenge: status %d", q.Address, resp.StatusCode)
	default:
		return fmt.Errorf("at %s it is answered with status %d, by another site or under another's rules", q.Address, resp.StatusCode)
	}
}
