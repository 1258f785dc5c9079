package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An Isolation is a route that was disabled by itself, because nginx could not start with it.
type Isolation struct {
	Address string `json:"address"`
	Route   string `json:"droplet_name"` // the name in it
	File    string `json:"file"`         // it is kept as it is
	Reason  string `json:"reason"`       // in nginx's words
}

// isolate makes nginx able to start where one of the program's own files keeps it from that: a certificate has vanished,
// a file was damaged, a new nginx refuses what the old one took. Such a route alone is disabled, and the rest serves. It
// ends when nginx accepts the configuration, or complains of what is not the program's; then that is the complaint.
func (e *Engine) isolate(ctx context.Context) (isolated []Isolation, complaint string, err error) {
	mended := false
	for {
		refusal, err := e.refusal(ctx)
		if refusal == nil || err != nil {
			return isolated, "", err
		}
		if !mended {
			mended = true
			if done, err := e.mendShared(ctx); done || err != nil {
				if err != nil {
					return isolated, refusal.Error(), err
				}
				continue
			}
		}
		t, err := e.guilty(refusal)
		if t == nil || err != nil {
			return isolated, refusal.Error(), err
		}
		change := plan.Change{Address: t.address, Action: plan.Update, Reason: "nginx can't start with it: " + refusal.Reason}
		step := pathStep(change.Address, t.link, t.linkState, &plan.State{})
		if err := e.carryOut(ctx, []plan.Change{change}, []journal.Step{step}); err != nil {
			return isolated, refusal.Error(), err
		}
		isolated = append(isolated, Isolation{Address: t.address, Route: nameOf(t.address), File: t.path, Reason: refusal.Error()})
		e.log.ErrorContext(ctx, "a route was disabled, since nginx can't start with it", "address", t.address, "error", refusal)
	}
}

// refusal returns why nginx refuses its configuration, nil if it does not, or if there is no nginx.
func (e *Engine) refusal(ctx context.Context) (*nginx.Refusal, error) {
	if _, err := e.build(ctx); err != nil {
		return nil, nil
	}
	err := e.nginx.Test(ctx)
	refusal, refused := errors.AsType[*nginx.Refusal](err)
	if err == nil || refused {
		return refusal, nil
	}
	return nil, failf(NginxBroken, err, "test nginx's configuration")
}

// mendShared writes anew what routes share, where that is not as it should be: no route can do without it.
func (e *Engine) mendShared(ctx context.Context) (done bool, err error) {
	s, err := e.survey(ctx)
	if err != nil {
		return false, nil // nginx itself says more
	}
	pl := newPlanner(e, Request{Operation: "recover", KeepUnlisted: true}, s)
	if err := errors.Join(pl.resolve(), pl.planSites(ctx)); err != nil {
		return false, nil
	}
	var steps []journal.Step
	for _, step := range pl.siteSteps() {
		if step.After.Exists {
			steps = append(steps, step)
		}
	}
	if len(steps) == 0 {
		return false, nil
	}
	return true, e.carryOut(ctx, nil, steps)
}

// guilty returns the enabled site of ours that a refusal is about, or nil.
func (e *Engine) guilty(refusal *nginx.Refusal) (*site, error) {
	sites, err := e.readSites(e.observer())
	if err != nil {
		return nil, err
	}
	for _, address := range slices.Sorted(maps.Keys(sites)) {
		t := sites[address]
		if !t.ours || !t.enabled || e.isImplied(address) {
			continue
		}
		if refusal.File == t.link || refusal.File == t.path || (refusal.File == "" && namesFileOf(refusal.Reason, t)) {
			return t, nil
		}
	}
	return nil, nil
}

// namesFileOf reports whether a complaint quotes a file that the site makes nginx read: of a certificate that it can't
// load, nginx tells the path and not who wanted it.
func namesFileOf(complaint string, t *site) bool {
	files := []string{t.link, t.path}
	if c := t.managed.Certificate; c != nil {
		files = append(files, c.Fullchain, c.PrivateKey)
	}
	for _, file := range files {
		if strings.Contains(complaint, `"`+file+`"`) {
			return true
		}
	}
	return false
}

// carryOut does path steps as an apply of its own, without nginx's consent: it is nginx that they are to mend.
func (e *Engine) carryOut(ctx context.Context, changes []plan.Change, steps []journal.Step) error {
	complete(steps)
	p := &planned{plan: &plan.Plan{Operation: "recover", Changes: changes, Summary: summarise(changes)}, steps: steps}
	a := e.newApplication(ctx, p, nginx.Paths{})
	if _, err := a.carryOut(ctx, 0); err != nil {
		return err
	}
	if err := a.tx.Finish(); err != nil {
		e.log.WarnContext(ctx, "the change is made, but its journal could not be put away", "error", err)
	}
	return nil
}

// reloadIsolated lets a running nginx take up what was isolated. One that does not run will when it is started.
func (e *Engine) reloadIsolated(ctx context.Context) {
	if err := e.bringBack(ctx, place{}); err != nil {
		e.log.WarnContext(ctx, "nginx could not be reloaded", "error", err)
	}
}
