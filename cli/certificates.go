package cli

import (
	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/urfave/cli/v2"
)

const (
	optEmail      = "email"
	optForceRenew = "force-renew"
)

func (p *program) sslCommand() *cli.Command {
	return &cli.Command{
		Name: "ssl", Category: groupRoutes, ArgsUsage: "NAME",
		Usage: "obtain a route's certificate and serve the route over HTTPS",
		Description: `A certificate that fits and is not due is used as it is, unless --force-renew is given. If the CA refuses,
the route goes on answering over HTTP, and the exit code is 1, or 3 where something else was changed before.

   proxy-manager ssl shop --email ops@example.com`,
		Flags: changeOptions(
			&cli.StringFlag{Name: optEmail, Usage: "`ADDRESS` of the CA's account; DEFAULT_SSL_EMAIL unless given"},
			&cli.BoolFlag{Name: optForceRenew, Usage: "obtain it anew although the present one is good", DisableDefaultText: true},
		),
		BashComplete: p.completeNames,
		Action: func(c *cli.Context) error {
			name, err := nameOperand(c)
			if err != nil {
				return err
			}
			if _, err := emailAddress(c.String(optEmail)); err != nil {
				return usagef("--email is %.100q, but must be %w", c.String(optEmail), err)
			}
			return p.change(c, engine.SSL(name, engine.SSLOptions{Email: c.String(optEmail), Force: c.Bool(optForceRenew)}))
		},
	}
}

func (p *program) renewCommand() *cli.Command {
	return &cli.Command{
		Name: "renew", Category: groupRoutes,
		Usage: "renew the certificates that are due",
		Description: `For a timer, where serve does not run. Certificates that the program did not have issued are never renewed;
one that somebody else renewed on disk is loaded.

   proxy-manager renew --dry-run
   proxy-manager renew --auto-approve`,
		Flags: changeOptions(),
		Action: func(c *cli.Context) error {
			if err := noOperands(c); err != nil {
				return err
			}
			return p.change(c, engine.RenewDue())
		},
	}
}
