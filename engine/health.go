package engine

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A HealthResult is what an upstream answered when it was last asked.
type HealthResult struct {
	Healthy   bool
	Reason    string // why not, in words of ours: nothing an upstream says is repeated
	CheckedAt time.Time
}

type healthSpec struct {
	Route string `json:"route"`
	URL   string `json:"url"`
}

func checkHealthStep(r resources.Route, url string) journal.Step {
	b, _ := json.Marshal(healthSpec{Route: r.Name(), URL: url}) // two strings: can't fail
	return journal.Step{Step: plan.Step{Kind: plan.CheckHealth, Address: r.Address(), Description: "ask " + url, Undo: "nothing to undo", Spec: b}}
}

// doCheckHealth lets a route go live only in front of an upstream that answers.
func (e *Engine) doCheckHealth(ctx context.Context, step plan.Step) error {
	var spec healthSpec
	if err := json.Unmarshal(step.Spec, &spec); err != nil {
		return failf(Internal, err, "read the step's spec")
	}
	r := e.CheckHealth(ctx, spec.Route, spec.URL)
	if r.Healthy {
		return nil
	}
	if err := context.Cause(ctx); err != nil {
		return failf(Internal, err, "stopped while %s was asked", spec.URL)
	}
	return failf(UpstreamUnhealthy, nil, "the upstream of %s is not healthy: %s %s; start it, or set require_healthy to false", step.Address, spec.URL, r.Reason).
		with("upstream", spec.URL).with("reason", r.Reason)
}

// CheckHealth asks an upstream for its health once and remembers the answer under the route's name.
func (e *Engine) CheckHealth(ctx context.Context, route, url string) HealthResult {
	r := HealthResult{CheckedAt: e.opts.Clock().UTC()}
	r.Reason = e.probe(ctx, url)
	r.Healthy = r.Reason == ""
	if ctx.Err() != nil && !r.Healthy {
		r.Reason = "was not asked to the end"
		return r // which is nothing to remember of it
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.health[route]; !known && len(e.health) >= maxRemembered {
		for any := range e.health {
			delete(e.health, any)
			break
		}
	}
	e.health[route] = r
	return r
}

// maxRemembered bounds the answers that are remembered: a name is also asked for whose route never comes to be.
const maxRemembered = 20_000

// LastHealth returns what the route's upstream answered when this engine last asked it.
func (e *Engine) LastHealth(route string) (HealthResult, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r, ok := e.health[route]
	return r, ok
}

// probe returns why the upstream is not healthy, or "". An upstream may be hostile: one total timeout, no redirects, no
// proxy, bounded headers and body, and none of its words in ours.
func (e *Engine) probe(ctx context.Context, url string) string {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Upstreams.CheckTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "is no URL that can be asked"
	}
	req.Header.Set("User-Agent", "proxy-manager")
	req.Close = true
	resp, err := e.healthTransport().RoundTrip(req)
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return fmt.Sprintf("did not answer within %s", e.opts.Upstreams.CheckTimeout)
		case errors.Is(err, syscall.ECONNREFUSED):
			return "refuses connections"
		default:
			return "could not be asked: " + plain.NetError(err)
		}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Sprintf("answered %d", resp.StatusCode)
	}
	return ""
}

func (e *Engine) healthTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: e.opts.Upstreams.CheckTimeout, Control: e.refuseDenied}
	return &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		// As nginx will treat it: an upstream with scheme https on this host or network rarely has a public name.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // only asks "do you live?"
	}
}

// refuseDenied keeps a name from leading to where no route may point. It sees the address that is really dialled.
func (e *Engine) refuseDenied(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	for _, denied := range e.opts.Upstreams.Deny {
		if denied.Contains(ap.Addr().Unmap().WithZone("")) {
			return fmt.Errorf("the address is in %s, where no route may point", denied)
		}
	}
	return nil
}
