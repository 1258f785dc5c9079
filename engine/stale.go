package engine

import (
	"context"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// CheckStale returns the error that [Engine.Apply] would refuse a plan with, because what it was made from has changed
// or because it was edited; nil if it could be applied now. It changes nothing and takes no lock, so the answer may be old
// by the time of an Apply, which asks again.
func (e *Engine) CheckStale(ctx context.Context, p *plan.Plan) error {
	req, err := e.parseRequest(p.Request)
	if err != nil {
		return err
	}
	fresh, err := e.Plan(ctx, req)
	if err == nil {
		if fresh.ID == p.ID {
			return nil
		}
		return stale(p, fresh)
	}
	if s, serr := e.survey(ctx); serr == nil {
		if changed := changedSince(p.Fingerprints, s.obs.fingerprints()); len(changed) > 0 {
			return staleError(changed)
		}
	}
	return err
}
