package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/urfave/cli/v2"
)

func (p *program) driftCommand() *cli.Command {
	return &cli.Command{
		Name: "drift", Category: groupHost,
		Usage: "show what was changed behind the program's back",
		Description: `The diffs lead from what is there to what should be. "apply" with the desired state heals it.

   proxy-manager drift
   proxy-manager drift --detailed-exitcode || mail -s "nginx was edited" ops`,
		Flags:  []cli.Flag{jsonOption(), exitCodeOption()},
		Action: p.drift,
	}
}

// A drifted resource is one that is not as it was written.
type drifted struct {
	Address string `json:"address"`
	Reason  string `json:"reason"`
	// Diffs lead back to what was written. There are none where only the desired state knows what that was.
	Diffs []string `json:"diffs"`
}

func (p *program) drift(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	list, err := driftOf(c, e)
	if err != nil {
		return err
	}
	if err := p.showDrift(c, list); err != nil {
		return err
	}
	if len(list) > 0 && c.Bool(optExitCode) {
		return errChanges
	}
	return nil
}

// driftOf holds every route against its own description, in the header of its file.
func driftOf(c *cli.Context, e *engine.Engine) ([]drifted, error) {
	status, err := e.Routes(c.Context)
	if err != nil {
		return nil, err
	}
	list := []drifted{}
	var known []resources.Route
	for _, r := range status {
		if r.Route.IsZero() {
			list = append(list, drifted{"route." + r.Name, "its file no longer says what it was made from: put the route anew", []string{}})
			continue
		}
		known = append(known, r.Route)
	}
	if len(known) == 0 {
		return list, nil
	}
	pl, err := e.Plan(c.Context, engine.Put(known...))
	if err != nil {
		return nil, err
	}
	for _, change := range pl.Changes {
		if change.Drifted {
			list = append(list, drifted{change.Address, change.Reason, diffsOf(pl, change.Address)})
		}
	}
	slices.SortFunc(list, func(a, b drifted) int { return strings.Compare(a.Address, b.Address) })
	return list, nil
}

func diffsOf(pl *plan.Plan, address string) []string {
	diffs := []string{}
	for _, s := range pl.Steps {
		if s.Address == address && s.Diff != "" {
			diffs = append(diffs, s.Diff)
		}
	}
	return diffs
}

func (p *program) showDrift(c *cli.Context, list []drifted) error {
	if c.Bool(optJSON) {
		return p.printJSON(list)
	}
	if len(list) == 0 {
		return sayTo(p.Out, "No drift. Every file is as it was written.\n")
	}
	for _, d := range list {
		if err := sayTo(p.Out, "%s: %s\n", visible(d.Address), visible(d.Reason)); err != nil {
			return err
		}
		for _, diff := range d.Diffs {
			if err := plan.WriteDiff(p.Out, diff, p.text()); err != nil {
				return err
			}
		}
	}
	return nil
}

const optAs = "as"

func (p *program) adoptCommand() *cli.Command {
	return &cli.Command{
		Name: "adopt", Category: groupHost, ArgsUsage: "FILE",
		Usage: "take over a site that was written by hand",
		Description: `Makes a managed route of it, if it is one: the plan shows what changes. What it replaced is kept, and
"proxy-manager rollback" brings it back.

   proxy-manager adopt /etc/nginx/sites-available/shop --as shop --dry-run`,
		Flags: changeOptions(&cli.StringFlag{Name: optAs, Usage: "`NAME` that the route gets"}),
		Action: func(c *cli.Context) error {
			file, err := operand(c, "FILE")
			if err != nil {
				return err
			}
			if c.String(optAs) == "" {
				return usagef("adopt needs --as NAME: the name that the route gets")
			}
			if file, err = filepath.Abs(file); err != nil {
				return err
			}
			return p.change(c, engine.Request{
				Operation: "adopt", KeepUnlisted: true, Adopt: &engine.Adoption{File: file, Name: c.String(optAs)},
			})
		},
	}
}
