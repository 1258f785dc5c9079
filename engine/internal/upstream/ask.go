package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// An Answer is what came of asking an upstream for its health.
type Answer struct {
	Reason string // why it is not healthy, or ""; in words of ours: nothing an upstream says is repeated
	Advice string // what helps, if that is known
	// Failing says of each address that did not answer, where another did, why: nginx passes it over.
	Failing []string
}

// Ask asks an upstream at the addresses that nginx has for it. It is healthy if nginx reaches one that is: of the addresses of a
// name it goes on to the next when one fails, and to the second loopback address when the first does. The error is
// the cause of a ctx that did not end by [ErrSilent].
func (n *Network) Ask(ctx context.Context, u resources.Upstream, path string, addrs []netip.Addr) (Answer, error) {
	if len(addrs) == 0 {
		return Answer{Reason: "has no address"}, nil
	}
	timed, cancel := context.WithTimeoutCause(ctx, n.Timeout, ErrSilent)
	defer cancel()
	q := &asker{n: n, u: u, path: path}
	var a Answer
	if u.ByName() {
		a = q.askAll(timed, addrs)
	} else {
		a = q.askInOrder(timed, addrs)
	}
	if cause := context.Cause(ctx); a.Reason != "" && cause != nil && !errors.Is(cause, ErrSilent) {
		return Answer{}, cause
	}
	return a, nil
}

// An asker asks one upstream.
type asker struct {
	n    *Network
	u    resources.Upstream
	path string
}

// askInOrder asks the next address only where the one before it can't be spoken with, as nginx does a backup.
func (q *asker) askInOrder(ctx context.Context, addrs []netip.Addr) (first Answer) {
	for i, addr := range addrs {
		a, spoke := q.ask(ctx, addr)
		if spoke || a.Reason == "" {
			return a
		}
		if i == 0 {
			first = a
		}
	}
	return first
}

// askAll asks all addresses side by side: nginx takes them in turn.
func (q *asker) askAll(ctx context.Context, addrs []netip.Addr) Answer {
	answers := make([]Answer, len(addrs))
	var wg sync.WaitGroup
	for i, addr := range addrs {
		wg.Go(func() { answers[i], _ = q.ask(ctx, addr) })
	}
	wg.Wait()
	var all Answer
	healthy := false
	for i, a := range answers {
		if a.Reason == "" {
			healthy = true
			continue
		}
		all.Failing = append(all.Failing, fmt.Sprintf("%s %s", netip.AddrPortFrom(addrs[i], uint16(q.u.Port)), a.Reason))
		if all.Reason == "" {
			all.Reason, all.Advice = a.Reason, a.Advice
		}
	}
	if healthy {
		all.Reason, all.Advice = "", ""
	}
	return all
}

// ask asks at one address. An upstream may be hostile: the caller's timeout is for all of it, no redirects, no proxy, bounded
// headers and body. spoke says that an answer came, or that none came in time: with either nginx looks no further.
func (q *asker) ask(ctx context.Context, addr netip.Addr) (a Answer, spoke bool) {
	if network, denied := q.n.Deny.Match(addr); denied {
		return Answer{Reason: fmt.Sprintf("is at %s, in %s, where no route may point (UPSTREAM_DENY)", addr, network)}, true
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.u.HealthURL(q.path), nil)
	if err != nil {
		return Answer{Reason: "is no URL that can be asked"}, true
	}
	req.Header.Set("User-Agent", "proxy-manager")
	req.Close = true
	trust, err := q.n.trust(q.u)
	if err != nil {
		return Answer{Reason: "can't be verified: " + plain.Line(err.Error()), Advice: "mend the file, or set UPSTREAM_CA_FILE"}, true
	}
	resp, err := q.transport(addr, trust).RoundTrip(req)
	if err != nil {
		return q.failure(ctx, err), ctx.Err() != nil
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return Answer{Reason: fmt.Sprintf("answered %d", resp.StatusCode)}, true
	}
	return Answer{}, true
}

func (q *asker) failure(ctx context.Context, err error) Answer {
	if untrusted, ok := errors.AsType[*untrustedError](err); ok {
		return Answer{
			Reason: untrusted.Error(),
			Advice: "have its CA in that file, or set UPSTREAM_CA_FILE to one that has it",
		}
	}
	switch {
	case ctx.Err() != nil:
		return Answer{Reason: fmt.Sprintf("did not answer within %s", q.n.Timeout)}
	case errors.Is(err, syscall.ECONNREFUSED):
		return Answer{Reason: "refuses connections"}
	default:
		return Answer{Reason: "could not be asked: " + plain.NetError(err)}
	}
}

// transport leads to one address, whatever the URL says.
func (q *asker) transport(addr netip.Addr, trust *tls.Config) *http.Transport {
	to := net.JoinHostPort(addr.String(), strconv.Itoa(q.u.Port))
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", to)
		},
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, TLSClientConfig: trust,
	}
}
