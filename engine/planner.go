package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// Plan computes what has to be done, and changes nothing. The same host and the same request give the same plan.
func (e *Engine) Plan(ctx context.Context, req Request) (*plan.Plan, error) {
	p, _, err := e.plan(ctx, req)
	if err != nil {
		return nil, err
	}
	p.plan.Warnings = append(p.plan.Warnings, e.unfinishedWarnings()...)
	return p.plan, nil
}

func (e *Engine) plan(ctx context.Context, req Request) (*planned, *survey, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := e.planFrom(ctx, req, s)
	return p, s, err
}

func (e *Engine) planFrom(ctx context.Context, req Request, s *survey) (*planned, error) {
	return newPlanner(e, req, s).plan(ctx)
}

// A planner makes a plan from a survey. Its run is the order; each step of it stands in the file of its subject. It knows
// resources by what they are able to do (resource.go), and no kind of them by name.
type planner struct {
	e   *Engine
	req Request
	s   *survey

	changes  []plan.Change
	warnings []string
	moves    moves

	wanted  map[string]Resource  // by address
	doomed  map[string]bool      // addresses of sites to delete
	drifted map[string]DriftKind // how sites were changed behind the program's back
	depths  map[string]int       // of resources that others need, see [planner.depth]

	written map[string]*plan.State // what the paths hold that the plan's own steps write
	made    map[string]bool        // directories that they need and that are not there yet
	own     []journal.Step         // steps of resources that are no sites
	checks  []journal.Step
	sites   map[int]*sitesSteps // by depth
	leads   *destinations       // see [planner.destinations]
	adopted *adoption           // the site that becomes a route, if one does
	certs   certificates
	asks    []ask            // what follows the first reload
	ways    map[int][]string // see [planner.listeners]
	obtain  []*obtaining
	final   []journal.Step // once all else is done and can't be undone any more
	reload  bool           // what nginx includes changes
	// tolerated are the errors of single resources, by address, where the planner only looks; nil where they end the plan.
	tolerated map[string][]error
}

func newPlanner(e *Engine, req Request, s *survey) *planner {
	return &planner{
		e: e, req: req, s: s, certs: newCertificates(), moves: newMoves(), doomed: map[string]bool{}, ways: map[int][]string{},
		written: map[string]*plan.State{}, made: map[string]bool{}, sites: map[int]*sitesSteps{},
		depths: map[string]int{}, drifted: map[string]DriftKind{},
	}
}

// plan makes the whole plan.
func (pl *planner) plan(ctx context.Context) (p *planned, err error) {
	if err := pl.run(ctx); err != nil {
		return nil, err
	}
	// The request's resources are encoded by code of their own.
	err = guarded(pl.e.log, "the plan", func() (err error) {
		p, err = pl.assemble()
		return err
	})
	return p, err
}

// run works out what is to be done. Whatever of the caller's panics meanwhile, the planner's error is Internal.
func (pl *planner) run(ctx context.Context) error {
	return guarded(pl.e.log, "the plan", func() error { return pl.planAll(ctx) })
}

func (pl *planner) planAll(ctx context.Context) error {
	if err := pl.checkVersions(); err != nil {
		return err
	}
	if err := pl.checkPrecondition(); err != nil {
		return err
	}
	if pl.req.Rollback != "" {
		if err := pl.planRollback(pl.req.Rollback); err != nil {
			return err
		}
		return pl.checkRestored(ctx)
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
	for _, address := range slices.Sorted(maps.Keys(pl.doomed)) {
		pl.planDeletion(pl.s.sites[address])
	}
	for _, k := range pl.e.order {
		if err := k.prepare(pl); err != nil {
			return err
		}
	}
	if err := pl.planSites(ctx); err != nil {
		return err
	}
	if err := pl.finishAdoption(); err != nil {
		return err
	}
	if err := pl.planOthers(ctx); err != nil {
		return err
	}
	for _, k := range pl.e.order {
		if err := k.finish(ctx, pl); err != nil {
			return err
		}
	}
	pl.reload = pl.reload || pl.req.Reload
	pl.planLoad()
	return nil
}

// planSites plans the wanted sites in order of address. Their texts, most of the work where there are thousands, are made
// side by side.
func (pl *planner) planSites(ctx context.Context) error {
	var drafts []*draft
	for _, address := range slices.Sorted(maps.Keys(pl.wanted)) {
		s, ok := pl.wanted[address].(Site)
		if !ok {
			continue
		}
		b, err := pl.build(ctx, s)
		if err != nil {
			if err := pl.tolerate(address, err); err != nil {
				return err
			}
			continue
		}
		if b.draft == nil {
			return failf(Internal, nil, "%s is a site, and its Plan did not call Builder.Site", address)
		}
		drafts = append(drafts, b.draft)
	}
	err := host.ForEach(len(drafts), host.Readers, func(i int) (err error) {
		drafts[i].text, err = drafts[i].render()
		return err
	})
	if err != nil {
		return Invalid(err)
	}
	for _, d := range drafts {
		if err := pl.planSite(d); err != nil {
			return err
		}
	}
	return nil
}

// planOthers lets the wanted resources that are no sites plan themselves, in the order of the request.
func (pl *planner) planOthers(ctx context.Context) error {
	for _, r := range pl.req.resources() {
		if _, isSite := r.(Site); isSite || pl.wanted[r.Address()] == nil {
			continue
		}
		b, err := pl.build(ctx, r)
		if err != nil {
			return err
		}
		pl.own = append(pl.own, b.steps...)
		if b.change.Action == "" {
			b.change.Action = plan.Unchanged
			if len(b.steps) > 0 {
				b.change.Action = plan.Update
			}
		}
		if !b.quiet {
			pl.changes = append(pl.changes, b.change)
		}
	}
	return nil
}

// build has one resource plan itself.
func (pl *planner) build(ctx context.Context, r Resource) (*Builder, error) {
	b := &Builder{pl: pl, resource: r, change: plan.Change{Address: r.Address()}}
	err := guarded(pl.e.log, "plan of "+r.Address(), func() error { return r.Plan(ctx, pl.s.obs, b) })
	if _, ours := errors.AsType[*Error](err); err != nil && !ours {
		err = fmt.Errorf("plan %s: %w", r.Address(), err)
	}
	return b, err
}
