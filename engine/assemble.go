package engine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A planned is a plan with what carries it out: its steps, and what their paths hold before and after.
type planned struct {
	plan  *plan.Plan
	steps []journal.Step
	certs certificates
}

// assemble puts the steps in order and numbers them.
func (pl *planner) assemble() (*planned, error) {
	p := &plan.Plan{
		FormatVersion: plan.FormatVersion, ToolVersion: Version, Operation: pl.req.Operation,
		Warnings: slices.Concat(pl.moves.warning(pl.s.settings), pl.s.warnings, pl.warnings),
	}
	var err error
	if p.Request, err = json.Marshal(pl.req); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	steps := slices.Concat(pl.checks, pl.own, pl.siteSteps())
	if pl.reload {
		if len(pl.asks) == 0 {
			pl.askOthers()
		}
		steps = append(steps, takeEffect(pl.certs.shows, pl.asks)...)
	}
	steps = append(steps, pl.obtainSteps(len(steps))...)
	steps = append(steps, pl.final...)
	complete(steps)
	p.Steps = planSteps(steps)
	slices.SortStableFunc(pl.changes, func(a, b plan.Change) int { return cmp.Compare(a.Address, b.Address) })
	p.Changes = pl.changes
	p.Summary = summarise(pl.changes)
	p.Fingerprints = pl.s.obs.Fingerprints()
	return &planned{plan: p, steps: steps, certs: pl.certs}, p.Seal()
}

// planSteps returns the steps as a plan has them.
func planSteps(steps []journal.Step) []plan.Step {
	list := make([]plan.Step, len(steps))
	for i, s := range steps {
		list[i] = s.Step
	}
	return list
}

// complete numbers the steps of a plan, and draws the diffs of those that change a path: side by side, since they are most
// of the work where there are thousands.
func complete(steps []journal.Step) {
	_ = host.ForEach(len(steps), host.Readers, func(i int) error {
		s := &steps[i]
		if s.ID = stepID(i); s.ChangesPath() {
			s.Diff = plan.Diff(s.Path, s.Before, s.After)
		}
		return nil
	})
}

func stepID(i int) string { return fmt.Sprintf("s%d", i+1) }

// obtainSteps are the steps that get certificates and take them into use, with one test and one reload for all.
func (pl *planner) obtainSteps(first int) []journal.Step {
	if len(pl.obtain) == 0 {
		return nil
	}
	var steps, use []journal.Step
	var shows []handshake
	var asks []ask
	for _, o := range pl.obtain {
		id := stepID(first + len(steps))
		steps = append(steps, o.step)
		for _, h := range o.shows {
			h.DependsOn = id
			shows = append(shows, h)
		}
		for _, q := range o.asks {
			q.DependsOn = id
			asks = append(asks, q)
		}
		for _, u := range o.use {
			u.DependsOn = []string{id}
			use = append(use, u)
		}
	}
	return slices.Concat(steps, use, takeEffect(shows, asks))
}

// takeEffect are the steps that make nginx use what is on disk, and find out that visitors get it.
func takeEffect(shows []handshake, asks []ask) []journal.Step {
	return []journal.Step{
		{Step: plan.Step{Kind: plan.TestConfig, Description: "test the configuration (nginx -t)", Undo: "nothing to undo"}},
		{Step: plan.Step{Kind: plan.Reload, Description: "tell nginx to load it", Undo: "load what was there before"}},
		{Step: plan.Step{
			Kind: plan.Verify, Description: "wait until new workers answer and no old one accepts, and ask for what has changed", Undo: "nothing to undo",
			Spec: verificationSpec(shows, asks),
		}},
	}
}

func summarise(changes []plan.Change) plan.Summary {
	var s plan.Summary
	for _, c := range changes {
		switch c.Action {
		case plan.Create:
			s.Create++
		case plan.Update:
			s.Update++
		case plan.Delete:
			s.Delete++
		default:
			s.Unchanged++
		}
		if c.Drifted {
			s.Drifted++
		}
	}
	return s
}
