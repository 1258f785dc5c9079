package cli

import (
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
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

// The words for how well the host is.
const (
	healthy   = "healthy"
	degraded  = "degraded" // it serves, and can't get certificates
	unhealthy = "unhealthy"
)

type healthReport struct {
	Status string      `json:"status"`
	Nginx  nginxHealth `json:"nginx"`
	SSL    sslHealth   `json:"ssl"`
}

type nginxHealth struct {
	Present      bool       `json:"present"`
	Running      bool       `json:"running"`
	ConfigTestOK bool       `json:"config_test_ok"`
	LastReload   *time.Time `json:"last_reload_timestamp"`
	Version      string     `json:"version"`
}

type sslHealth struct {
	CertbotPresent bool                  `json:"certbot_present"`
	LastOperation  *engine.LastOperation `json:"last_operation"`
}

func (p *program) health(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	r, complaint := lookAt(c, e)
	if c.Bool(optJSON) {
		err = p.printJSON(r)
	} else {
		err = table(p.Out, []string{"WHAT", "STATE"}, healthRows(r))
	}
	if err == nil && r.Status == unhealthy {
		return complaint
	}
	return err
}

// lookAt returns how the host is and, for an unhealthy one, what is wrong with it.
func lookAt(c *cli.Context, e *engine.Engine) (healthReport, error) {
	nginx, certbot := e.Nginx(c.Context), e.Certbot(c.Context)
	complaint := e.TestConfig(c.Context)
	r := healthReport{
		Nginx: nginxHealth{Present: nginx.Present, Running: nginx.Running, ConfigTestOK: complaint == nil, Version: nginx.Version},
		SSL:   sslHealth{CertbotPresent: certbot.Present, LastOperation: certbot.Last},
	}
	if !nginx.LastReload.IsZero() {
		r.Nginx.LastReload = &nginx.LastReload
	}
	if complaint == nil && !nginx.Running {
		complaint = &engine.Error{Code: engine.NginxBroken, Message: "nginx is not running"}
	}
	switch {
	case complaint != nil:
		r.Status = unhealthy
	case !certbot.Present:
		r.Status = degraded
	default:
		r.Status = healthy
	}
	return r, complaint
}

func healthRows(r healthReport) [][]string {
	return [][]string{
		{"status", r.Status}, {"nginx", orDash(r.Nginx.Version)}, {"nginx runs", yesNo(r.Nginx.Running)},
		{"configuration good", yesNo(r.Nginx.ConfigTestOK)}, {"certbot", yesNo(r.SSL.CertbotPresent)},
	}
}
