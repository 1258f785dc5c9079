package cli

import (
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/urfave/cli/v2"
)

func (p *program) healthCommand() *cli.Command {
	return &cli.Command{
		Name: "health", Category: groupHost,
		Usage: "look whether nginx and certbot are there and well",
		Description: `Exits with 1 when nginx does not run or refuses its configuration.

   proxy-manager health --json`,
		Flags:  []cli.Flag{jsonOption()},
		Action: p.health,
	}
}

func (p *program) health(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	h := health.Look(c.Context, e, time.Now).Report()
	if c.Bool(optJSON) {
		err = p.printJSON(h)
	} else {
		err = table(p.Out, []string{"WHAT", "STATE"}, healthRows(h))
	}
	if err != nil {
		return err
	}
	return complaint(h.Nginx)
}

// complaint is why nothing is served, or would be after a restart.
func complaint(n health.Nginx) error {
	why := ""
	switch {
	case !n.Present:
		why = "nginx is not there: install it, or set NGINX_BIN"
	case !n.ConfigTestOK:
		why = n.ConfigTestError
	case !n.Running:
		why = "nginx is not running: start it (systemctl start nginx)"
	default:
		return nil
	}
	return &engine.Error{Code: engine.NginxBroken, Message: why}
}

func healthRows(h health.Report) [][]string {
	return [][]string{
		{"status", h.Status},
		{"nginx", orDash(h.Nginx.Version)},
		{"nginx runs", yesNo(h.Nginx.Running)},
		{"configuration good", yesNo(h.Nginx.ConfigTestOK)},
		{"old workers", fmt.Sprint(h.Nginx.WorkersShuttingDown)},
		{"certbot", yesNo(h.SSL.CertbotPresent)},
	}
}
