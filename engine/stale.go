package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
	_, _, err = e.planAgain(ctx, p, req)
	return err
}

// planAgain computes a plan anew from its request, and refuses it if it does not come out the same.
func (e *Engine) planAgain(ctx context.Context, p *plan.Plan, req Request) (*planned, *survey, error) {
	fresh, s, err := e.plan(ctx, req)
	if err == nil {
		if fresh.plan.ID != p.ID {
			err = stale(p, fresh.plan)
		}
		return fresh, s, err
	}
	// What was asked for is no longer possible. If the world has moved, that is the news.
	if s, serr := e.survey(ctx); serr == nil {
		if changed := changedSince(p.Fingerprints, s.obs.Fingerprints()); len(changed) > 0 {
			return nil, nil, errors.Join(staleError(changed), err)
		}
	}
	return nil, nil, err
}

// stale says why a plan can't be applied any more.
func stale(p, fresh *plan.Plan) error {
	if changed := changedSince(p.Fingerprints, fresh.Fingerprints); len(changed) > 0 {
		return staleError(changed)
	}
	return failf(InvalidInput, nil, "the plan does not follow from what was asked for: it was edited, or made by a program or with settings other than these; plan again")
}

func staleError(changed []string) *Error {
	shown := changed
	if len(shown) > 10 {
		shown = append(slices.Clone(shown[:10]), fmt.Sprintf("and %d more", len(changed)-10))
	}
	return failf(StalePlan, nil, "the plan is stale, since the host has changed: %s; plan again", strings.Join(shown, "; ")).with("changed", changed)
}

// changedSince describes each difference between what a plan was made from and what is there now.
func changedSince(planned, now []plan.Fingerprint) []string {
	was := map[string]string{}
	for _, f := range planned {
		was[f.Path] = f.State
	}
	var changed []string
	for _, f := range now {
		if before, known := was[f.Path]; !known {
			changed = append(changed, f.Path+" is new")
		} else if before != f.State {
			changed = append(changed, fmt.Sprintf("%s was %s and is %s", f.Path, shorten(before), shorten(f.State)))
		}
		delete(was, f.Path)
	}
	for _, path := range slices.Sorted(maps.Keys(was)) {
		changed = append(changed, path+" is gone")
	}
	return changed
}

// shorten cuts a SHA-256 to its first digits.
func shorten(state string) string {
	if i := strings.Index(state, "sha256:"); i >= 0 && len(state) > i+19 {
		return state[:i+19]
	}
	return state
}
