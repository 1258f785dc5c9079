package cli

import (
	"path/filepath"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
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

func (p *program) drift(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	list, err := e.Drift(c.Context)
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

func (p *program) showDrift(c *cli.Context, list []engine.Drift) error {
	if c.Bool(optJSON) {
		return p.printJSON(list)
	}
	if len(list) == 0 {
		return sayTo(p.Out, "No drift. Every file is as it was written.\n")
	}
	for _, d := range list {
		if err := sayTo(p.Out, "%s: %s\n", visible(d.Address), visible(d.Message)); err != nil {
			return err
		}
		if d.Diff == "" {
			continue
		}
		if err := plan.WriteDiff(p.Out, d.Diff, p.text()); err != nil {
			return err
		}
	}
	return nil
}

const (
	optAs           = "as"
	optAcceptLosses = "accept-losses"
)

func (p *program) adoptCommand() *cli.Command {
	return &cli.Command{
		Name: "adopt", Category: groupHost, ArgsUsage: "FILE",
		Usage: "take over a site that was written by hand",
		Description: `Makes a managed route of it that does the same, includes and all. What a route can't do is listed by line, in order
of weight: access control, a listen address, a certificate and a redirect are never given up, the rest only with
--accept-losses. What it replaced is kept, and "proxy-manager rollback" brings it back.

   proxy-manager adopt /etc/nginx/sites-available/shop --as shop --dry-run`,
		Flags: changeOptions(
			&cli.StringFlag{Name: optAs, Usage: "`NAME` that the route gets"},
			&cli.BoolFlag{Name: optAcceptLosses, Usage: "go on without what a route can't do", DisableDefaultText: true},
		),
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
				Operation: "adopt", KeepUnlisted: true,
				Adopt: &engine.Adoption{File: file, Name: c.String(optAs), AcceptLosses: c.Bool(optAcceptLosses)},
			})
		},
	}
}
