package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A HealthResult is what an upstream answered when it was last asked.
type HealthResult struct {
	Healthy   bool
	Reason    string // why not, and what helps, in words of ours: nothing an upstream says is repeated
	CheckedAt time.Time

	advice      string   // the part of the reason that says what helps
	failing     []string // addresses that do not answer, where nginx will find another that does
	interrupted error    // nobody waited for the answer any more
}

func (r *HealthResult) explain(reason, advice string) {
	r.Reason, r.advice, r.Healthy = reason, advice, reason == ""
	if advice != "" {
		r.Reason += ": " + advice
	}
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
	switch {
	case r.interrupted != nil:
		return failf(Internal, r.interrupted, "stopped while %s was asked", spec.URL)
	case !r.Healthy:
		help := "; start it, or set require_healthy to false"
		if r.advice != "" {
			help = ", or set require_healthy to false"
		}
		return failf(UpstreamUnhealthy, nil, "the upstream of %s is not healthy: %s %s%s", step.Address, spec.URL, r.Reason, help).
			with("upstream", spec.URL).with("reason", r.Reason)
	}
	for _, failing := range r.failing {
		e.warn(ctx, "", fmt.Sprintf("the upstream of %s has an address that nginx will pass over: %s", step.Address, failing))
	}
	return nil
}

// CheckHealth asks an upstream for its health as nginx would, once, and remembers the answer under the route's name.
func (e *Engine) CheckHealth(ctx context.Context, route, url string) HealthResult {
	ctx, q := e.inquire(ctx)
	r := e.ask(ctx, q, url)
	if r.interrupted != nil {
		return r
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
