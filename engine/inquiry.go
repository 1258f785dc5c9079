package engine

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/upstream"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// An inquiry is what one change wants to know of upstreams: each name is looked up once and each upstream asked once, however
// often the change is planned and tried. What few routes need is found out before anything is locked, so that nobody else
// waits for a server that does not answer.
type inquiry struct {
	network *upstream.Network

	mu      sync.Mutex
	lookups map[string]func() lookup       // by host
	answers map[string]func() HealthResult // by URL
}

type inquiryKey struct{}

// inquire returns the inquiry that a change goes on with, or begins one.
func (e *Engine) inquire(ctx context.Context) (context.Context, *inquiry) {
	if q, ok := ctx.Value(inquiryKey{}).(*inquiry); ok {
		return ctx, q
	}
	q := &inquiry{
		network: &upstream.Network{
			Settings: e.reach(), Deny: upstream.NewDeny(e.opts.Upstreams.Deny),
			Timeout: e.opts.Upstreams.CheckTimeout, System: net.DefaultResolver.LookupHost,
		},
		lookups: map[string]func() lookup{}, answers: map[string]func() HealthResult{},
	}
	return context.WithValue(ctx, inquiryKey{}, q), q
}

// limit bounds how long the questions about n upstreams may take, asked side by side: one lookup and one question, and what
// the host needs to send so many.
func (q *inquiry) limit(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	bound := 2*q.network.Timeout + 100*time.Millisecond + time.Duration(n)*time.Millisecond
	return context.WithTimeoutCause(ctx, bound, upstream.ErrSilent)
}

// sideBySide does n checks of upstreams at once.
func (e *Engine) sideBySide(ctx context.Context, n int, check func(ctx context.Context, i int) error) error {
	ctx, q := e.inquire(ctx)
	ctx, cancel := q.limit(ctx, n)
	defer cancel()
	return host.ForEach(n, atOnce, func(i int) error { return check(ctx, i) })
}

// atOnce is how many upstreams are asked side by side: each is a connection, and a few goroutines.
const atOnce = 1024

// maxAhead is how many routes a change may put for their upstreams to be asked before anything is locked.
const maxAhead = 32

// askAhead finds out what the change of a few routes will have to know of their upstreams. The context that it returns knows the
// answers.
func (e *Engine) askAhead(ctx context.Context, routes []resources.Route) (context.Context, error) {
	ctx, q := e.inquire(ctx)
	if len(routes) > maxAhead {
		return ctx, nil
	}
	changing := slices.DeleteFunc(slices.Clone(routes), e.keeps)
	limited, cancel := q.limit(ctx, len(changing))
	defer cancel()
	_ = host.ForEach(len(changing), maxAhead, func(i int) error {
		e.askFor(limited, q, changing[i])
		return nil
	})
	if ctx.Err() != nil {
		return ctx, failf(Internal, context.Cause(ctx), "stopped while upstreams were asked")
	}
	return ctx, nil
}

// askFor finds out all that a change of a route has to know.
func (e *Engine) askFor(ctx context.Context, q *inquiry, r resources.Route) {
	for _, u := range r.Upstreams() {
		q.lookup(ctx, u.Host)
	}
	if r.Enabled() && r.RequireHealthy() {
		for _, url := range r.HealthURLs(e.opts.Upstreams.CheckPath) {
			e.ask(ctx, q, url)
		}
	}
}

// keeps reports whether a route is there as it is wanted.
func (e *Engine) keeps(r resources.Route) bool {
	t := e.newSite(r.Address())
	return e.readSite(e.observer(), t) == nil && t.keeps(r)
}

func (t *site) keeps(r resources.Route) bool { return t != nil && t.ours && t.route().Equal(r) }

// A lookup is what came of looking up a host.
type lookup struct {
	addrs []netip.Addr
	err   error
}

// lookup returns the addresses that nginx will have for a host.
func (q *inquiry) lookup(ctx context.Context, host string) lookup {
	return once(q, q.lookups, host, func() lookup {
		addrs, err := q.network.Lookup(ctx, host)
		return lookup{addrs, err}
	})
}

// once returns what f returned for a key when it was first asked for.
func once[T any](q *inquiry, known map[string]func() T, key string, f func() T) T {
	q.mu.Lock()
	if known[key] == nil {
		known[key] = sync.OnceValue(f)
	}
	get := known[key]
	q.mu.Unlock()
	return get()
}

// ask asks the upstream that a health URL leads to.
func (e *Engine) ask(ctx context.Context, q *inquiry, rawURL string) HealthResult {
	return once(q, q.answers, rawURL, func() HealthResult {
		r := HealthResult{CheckedAt: e.opts.Clock().UTC()}
		u, path, ok := parseHealthURL(rawURL)
		if !ok {
			r.Reason = "is no URL that can be asked"
			return r
		}
		found := q.lookup(ctx, u.Host)
		if wrong, ok := errors.AsType[*upstream.LookupError](found.err); ok {
			r.explain(wrong.Reason, wrong.Advice)
			return r
		}
		answer, err := q.network.Ask(ctx, u, path, found.addrs)
		if r.interrupted = cmp.Or(found.err, err); r.interrupted != nil {
			r.Reason = "was not waited for"
			return r
		}
		r.explain(answer.Reason, answer.Advice)
		r.failing = answer.Failing
		return r
	})
}

func parseHealthURL(s string) (u resources.Upstream, path string, ok bool) {
	at, err := url.Parse(s)
	if err != nil {
		return u, "", false
	}
	u = resources.Upstream{Scheme: at.Scheme, Host: at.Hostname()}
	u.Port, err = strconv.Atoi(at.Port())
	return u, at.RequestURI(), err == nil && slices.Contains([]string{"http", "https"}, u.Scheme) && u.Host != ""
}
