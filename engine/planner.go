package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Plan computes what has to be done, and changes nothing. The same host and the same request give the same plan.
func (e *Engine) Plan(ctx context.Context, req Request) (*plan.Plan, error) {
	p, _, err := e.plan(ctx, req)
	if err != nil {
		return nil, err
	}
	if interrupted, err := e.Interrupted(); err == nil && interrupted {
		p.Warnings = append(p.Warnings, interruptedWarning)
		if err := p.Seal(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

const interruptedWarning = "an earlier apply was interrupted and is not undone yet; the next command that changes something, or 'proxy-manager recover', brings the host back to what it was before it"

func (e *Engine) plan(ctx context.Context, req Request) (*plan.Plan, *survey, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := e.planFrom(ctx, req, s)
	return p, s, err
}

func (e *Engine) planFrom(ctx context.Context, req Request, s *survey) (*plan.Plan, error) {
	pl := newPlanner(e, req, s)
	if err := pl.run(ctx); err != nil {
		return nil, err
	}
	return pl.assemble()
}

// A planner makes a plan from a survey. Its run is the order; each step of it stands in the file of its subject: requirements.go,
// wanted.go, conflicts.go, route_plan.go, certificate_plan.go, shared.go. assemble.go makes the plan of what they found.
type planner struct {
	e   *Engine
	req Request
	s   *survey

	changes  []plan.Change
	warnings []string

	wanted map[string]resources.Route // by name
	doomed map[string]bool            // names of sites to delete

	own       []plan.Step // steps of resources of one's own
	checks    []plan.Step
	shared    sitesSteps
	routes    sitesSteps
	gone      sitesSteps // shared files that no route needs any more
	adopted   *adoption  // the site that becomes a route, if one does
	certs     certificates
	obtain    []*obtaining
	deletions []plan.Step // of certificates, once nothing names them
	reload    bool        // what nginx includes changes
}

func newPlanner(e *Engine, req Request, s *survey) *planner {
	return &planner{e: e, req: req, s: s, certs: newCertificates()}
}

func (pl *planner) run(ctx context.Context) error {
	if err := pl.checkVersions(); err != nil {
		return err
	}
	if err := pl.checkPrecondition(); err != nil {
		return err
	}
	if pl.req.Rollback != "" {
		return pl.planRollback(pl.req.Rollback)
	}
	if err := pl.planAdoption(); err != nil {
		return err
	}
	if err := pl.resolve(); err != nil {
		return err
	}
	if err := pl.checkConflicts(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(pl.doomed)) {
		pl.planDeletion(pl.s.sites[name])
	}
	if err := pl.lookAtCertificates(); err != nil {
		return err
	}
	if err := pl.planRoutes(); err != nil {
		return err
	}
	if err := pl.finishAdoption(); err != nil {
		return err
	}
	if err := pl.planShared(); err != nil {
		return err
	}
	if err := pl.planCertificates(); err != nil {
		return err
	}
	pl.planUnloaded(ctx)
	pl.reload = pl.reload || pl.req.Reload
	return pl.planOwn(ctx)
}
