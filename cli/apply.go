package cli

import (
	"context"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

func (p *program) applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Category: groupState, ArgsUsage: "[PLANFILE]",
		Usage: "make the host match the desired state, or do what a saved plan says",
		Description: `Shows the plan, asks, and does it. If a step fails, all is undone, and the exit code is 3.
Without a terminal it does nothing unless --auto-approve is given. A saved plan that is stale is refused.

   proxy-manager apply -f proxies.json
   proxy-manager apply plan.json
   proxy-manager apply --auto-approve --json          in CI, with events as lines of JSON`,
		Flags:  changeOptions(append([]cli.Flag{fileOption()}, stateOptions()...)...),
		Action: p.apply,
	}
}

func (p *program) apply(c *cli.Context) error {
	if c.Args().Present() {
		return p.applySaved(c)
	}
	req, err := p.stateRequest(c)
	if err != nil {
		return err
	}
	return p.change(c, req)
}

func (p *program) applySaved(c *cli.Context) error {
	name, err := operand(c, "PLANFILE")
	if err != nil {
		return err
	}
	for _, option := range []string{optFile, optTarget, optKeep} {
		if c.IsSet(option) {
			return usagef("--%s means nothing for a saved plan, which holds what was asked for", option)
		}
	}
	pl, err := p.readPlan(c.Context, name)
	if err != nil {
		return err
	}
	e, err := p.writer(c)
	if err != nil {
		return err
	}
	if err := e.CheckStale(c.Context, pl); err != nil {
		return err
	}
	return p.execute(c, pl, func(ctx context.Context) (*engine.Result, error) { return e.Apply(ctx, pl) })
}

func (p *program) destroyCommand() *cli.Command {
	return &cli.Command{
		Name: "destroy", Category: groupState,
		Usage: "remove everything that is managed",
		Description: `Files that the program did not write stay, as do certificates that are in use.

   proxy-manager destroy --dry-run
   proxy-manager destroy --target route.shop`,
		Flags: changeOptions(stateOptions()[0]),
		Action: func(c *cli.Context) error {
			if err := noOperands(c); err != nil {
				return err
			}
			req := engine.Destroy()
			req.Targets = c.StringSlice(optTarget)
			return p.change(c, req)
		},
	}
}

// change plans what is asked for, shows it, has it approved and does it.
func (p *program) change(c *cli.Context, req engine.Request) error {
	e, err := p.writer(c)
	if err != nil {
		return err
	}
	return p.planAndExecute(c, e, req)
}

func (p *program) planAndExecute(c *cli.Context, e *engine.Engine, req engine.Request) error {
	pl, err := e.Plan(c.Context, req)
	if err != nil {
		return err
	}
	return p.execute(c, pl, func(ctx context.Context) (*engine.Result, error) {
		if c.Bool(optApprove) {
			// What is asked for was approved, whatever it takes. Of two jobs that run at the same time the second would
			// otherwise find its plan stale.
			return e.Do(ctx, req)
		}
		return e.Apply(ctx, pl) // exactly what was shown
	})
}

// writer opens the engine for a command that changes something. What was interrupted is brought in order first, since the
// plan has to be made from what is there afterwards.
func (p *program) writer(c *cli.Context) (*engine.Engine, error) {
	if c.Bool(optDryRun) {
		return p.engine(c) // the plan itself warns of an interrupted apply
	}
	e, err := p.engine(c)
	if err != nil {
		return nil, err
	}
	interrupted, err := e.Interrupted()
	if err != nil || !interrupted {
		return e, nil // a state directory that can't be read is an apply's to complain about
	}
	found, err := e.Recover(c.Context)
	if err == nil && found != nil {
		p.say("Recovered: %s.", found)
	}
	return e, err
}

// execute shows a plan, has it approved and applies it.
func (p *program) execute(c *cli.Context, pl *plan.Plan, apply func(context.Context) (*engine.Result, error)) error {
	if c.Bool(optDryRun) {
		return p.showPlan(c, pl)
	}
	report := p.newReport(c, pl)
	if err := report.begin(); err != nil && (isClosed(err) || !c.Bool(optApprove) && !pl.Empty()) {
		return err // nobody is asked to approve what could not be shown
	}
	result := &engine.Result{Plan: pl}
	if !pl.Empty() {
		if err := p.approve(c); err != nil {
			return err
		}
		ctx, end := context.WithCancelCause(c.Context)
		defer end(nil)
		p.out.onClosed(end)
		p.err.onClosed(end)
		var err error
		if result, err = apply(p.observed(ctx, report)); err != nil {
			return err
		}
	}
	p.done = true
	return report.end(result)
}

// observed has the report told of what an apply does.
func (p *program) observed(ctx context.Context, r report) context.Context {
	return engine.WithEvents(ctx, func(ev engine.Event) {
		if ev.Type == engine.StepFailed {
			p.failed.Store(ev.Step)
		}
		r.event(ev)
	})
}

// addresses are those of the resources that a plan changes.
func addresses(pl *plan.Plan) []string {
	var list []string
	for _, change := range pl.Changes {
		if change.Action != plan.Unchanged && !slices.Contains(list, change.Address) {
			list = append(list, change.Address)
		}
	}
	return list
}
