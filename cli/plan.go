package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/urfave/cli/v2"
)

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Category: groupState,
		Usage: "show what would be done to make the host match the desired state",
		Description: `Changes nothing, and needs no right to write. The diffs are such that "patch -p1 -d /" takes them.

   proxy-manager plan -f proxies.json
   proxy-manager plan --out plan.json && proxy-manager apply plan.json
   proxy-manager plan --detailed-exitcode; echo $?     0: nothing to do, 2: changes`,
		Flags: slices.Concat([]cli.Flag{
			fileOption(),
			&cli.StringFlag{Name: optOut, Usage: "save the plan to `FILE`, for apply; - is standard output"},
			&cli.BoolFlag{Name: "destroy", Usage: "plan the removal of everything that is managed", DisableDefaultText: true},
			jsonOption(), exitCodeOption(),
		}, stateOptions()),
		Action: p.plan,
	}
}

func (p *program) plan(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	req, err := p.stateRequest(c)
	if err != nil {
		return err
	}
	e, err := p.engine(c) // the plan itself warns of an interrupted apply
	if err != nil {
		return err
	}
	pl, err := e.Plan(c.Context, req)
	if err != nil {
		return err
	}
	if err := p.savePlan(c, pl); err != nil {
		return err
	}
	if c.Bool(optExitCode) && !pl.Empty() {
		return errChanges
	}
	return nil
}

// stateRequest is what plan, apply and destroy are asked for.
func (p *program) stateRequest(c *cli.Context) (engine.Request, error) {
	req := engine.Destroy()
	if c.Bool("destroy") && (c.IsSet(optFile) || c.Bool(optKeep)) {
		return req, usagef("--destroy plans the removal of everything: --%s and --%s mean nothing with it", optFile, optKeep)
	}
	if !c.Bool("destroy") {
		d, err := p.readDesired(c.Context, c.String(optFile))
		if err != nil {
			return req, err
		}
		req = engine.Desired(d)
	}
	req.Targets, req.KeepUnlisted = c.StringSlice(optTarget), c.Bool(optKeep)
	return req, nil
}

// showPlan prints a plan in the form that was asked for.
func (p *program) showPlan(c *cli.Context, pl *plan.Plan) error {
	if c.Bool(optJSON) {
		p.answered = true
		return pl.Encode(p.Out)
	}
	return p.printPlan(pl)
}

// readDesired reads the desired state from a file, or from standard input.
func (p *program) readDesired(ctx context.Context, name string) (resources.Desired, error) {
	text, err := p.read(ctx, name)
	if err != nil {
		return resources.Desired{}, err
	}
	d, err := resources.ParseDesired(text)
	if err != nil {
		return d, inFile(name, err)
	}
	return d, nil
}

// inFile returns the error of what is in a file that a user gave, with its name.
func inFile(name string, err error) error { return fmt.Errorf("%s: %w", name, engine.Invalid(err)) }

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Category: groupState, ArgsUsage: "PLANFILE",
		Usage: "show a saved plan",
		Description: `Says, too, whether the plan is stale: made from files that have changed since.

   proxy-manager show plan.json`,
		Flags:  []cli.Flag{jsonOption()},
		Action: p.show,
	}
}

func (p *program) show(c *cli.Context) error {
	name, err := operand(c, "PLANFILE")
	if err != nil {
		return err
	}
	pl, err := p.readPlan(c.Context, name)
	if err != nil {
		return err
	}
	if err := p.showPlan(c, pl); err != nil {
		return err
	}
	p.warnIfStale(c.Context, c, pl)
	return nil
}

func (p *program) readPlan(ctx context.Context, name string) (*plan.Plan, error) {
	text, err := p.read(ctx, name)
	if err != nil {
		return nil, err
	}
	pl, err := plan.Parse(text)
	if err != nil {
		return nil, inFile(name, err)
	}
	return pl, nil
}

// warnIfStale says what has changed since the plan was made. A plan can be shown on a host that has no nginx, so what
// can't be found out is left unsaid.
func (p *program) warnIfStale(ctx context.Context, c *cli.Context, pl *plan.Plan) {
	e, err := p.reader(c)
	if err != nil {
		return
	}
	if err := e.CheckStale(ctx, pl); err != nil && engine.CodeOf(err) == engine.StalePlan {
		p.say("Warning: %s", visible(err.Error()))
	}
}
