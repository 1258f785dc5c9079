package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
			err = e.stale(p, fresh.plan)
		}
		return fresh, s, err
	}
	// What was asked for is no longer possible. If the world has moved, that is the news.
	if s, serr := e.survey(ctx); serr == nil {
		if changed := e.changedSince(p.Fingerprints, s.obs.Fingerprints()); len(changed) > 0 {
			return nil, nil, errors.Join(staleError(changed), err)
		}
	}
	return nil, nil, err
}

// stale says why a plan can't be applied any more.
func (e *Engine) stale(p, fresh *plan.Plan) error {
	if changed := e.changedSince(p.Fingerprints, fresh.Fingerprints); len(changed) > 0 {
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

// changedSince describes each difference between what a plan was made from and what is there now, in order of path. Planning
// again does not read all of the same, and not always in the same way: what it did not read is looked at.
func (e *Engine) changedSince(planned, now []plan.Fingerprint) []string {
	is := map[string]string{}
	for _, f := range now {
		is[f.Path] = f.State
	}
	was := map[string]string{}
	o := e.observer()
	var changed []string
	for _, f := range planned {
		was[f.Path] = f.State
		if is[f.Path] == f.State {
			continue
		}
		state, ok := is[f.Path]
		if again, isPath := o.Again(f); isPath && (f.State != "absent" || !ok) {
			state, ok = again, true
		}
		if ok && state != f.State {
			changed = append(changed, describeChange(f.Path, f.State, state))
		}
	}
	for _, f := range now {
		dir := filepath.Dir(f.Path)
		// What was not read when planning may have been there all the same, unless nothing new is in its directory.
		if _, known := was[f.Path]; !known && f.State != "absent" && was[dir] != "" && was[dir] != is[dir] && is[dir] != "" {
			changed = append(changed, f.Path+" is new")
		}
	}
	slices.Sort(changed)
	return changed
}

func describeChange(path, was, is string) string {
	if is == "absent" {
		return path + " is gone"
	}
	return fmt.Sprintf("%s was %s and is %s", path, shorten(was), shorten(is))
}

// shorten cuts a SHA-256 to its first digits.
func shorten(state string) string {
	if i := strings.Index(state, "sha256:"); i >= 0 && len(state) > i+19 {
		return state[:i+19]
	}
	return state
}
