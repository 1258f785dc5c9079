package cli

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/hashicorp/go-version"
	"github.com/urfave/cli/v2"
)

func (p *program) configCommand() *cli.Command {
	return &cli.Command{
		Name: "config", Category: groupAbout,
		Usage: "print the effective settings, and where each comes from",
		Description: `An option wins over the environment, that over the settings file, and that over the default.

   NGINX_HTTP_PORT=8080 proxy-manager config`,
		Flags: []cli.Flag{jsonOption()},
		Action: func(c *cli.Context) error {
			if err := noOperands(c); err != nil {
				return err
			}
			if c.Bool(optJSON) {
				return p.printJSON(p.settings.effective)
			}
			rows := make([][]string, len(p.settings.effective))
			for i, e := range p.settings.effective {
				rows[i] = []string{e.Name, orDash(e.Value), cmp.Or(e.Place, e.Source), e.Flag}
			}
			return table(p.Out, []string{"VARIABLE", "VALUE", "FROM", "OPTION"}, rows)
		},
	}
}

func (p *program) schemaCommand() *cli.Command {
	return &cli.Command{
		Name: "schema", Category: groupAbout,
		Usage: "print the JSON Schema of the desired state",
		Description: `Editors that are given it complete and check proxies.json while it is written.

   proxy-manager schema > proxies.schema.json`,
		Flags: []cli.Flag{jsonOption()}, // it is JSON anyway
		Action: func(c *cli.Context) error {
			if err := noOperands(c); err != nil {
				return err
			}
			_, err := p.Out.Write(resources.Schema())
			return err
		},
	}
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Category: groupAbout,
		Usage:       "print the versions of this program and of nginx",
		Description: "   proxy-manager version --json",
		Flags:       []cli.Flag{jsonOption()},
		Action:      p.version,
	}
}

func (p *program) version(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.engine(c)
	if err != nil {
		return err
	}
	nginx := e.Nginx(c.Context).Version
	if c.Bool(optJSON) {
		return p.printJSON(map[string]string{"proxy_manager": engine.Version, "plan_format": plan.FormatVersion, "nginx": nginx})
	}
	return sayTo(p.Out, "proxy-manager %s\nnginx %s\n", engine.Version, cmp.Or(nginx, "not found at "+p.settings.NginxBin))
}

// checkVersions holds the constraints of a desired state against what is here. A machine that only checks files may have
// no nginx.
func (p *program) checkVersions(c *cli.Context, d resources.Desired) error {
	e, err := p.engine(c)
	if err != nil {
		return err
	}
	own, err := version.NewVersion(engine.Version)
	if err != nil {
		return err
	}
	status := e.Nginx(c.Context)
	if !status.Present {
		if d.NginxVersion != "" {
			p.say("Note: nginx is not here, so nginx_version was not checked.")
		}
		d.NginxVersion = ""
		return d.Admits(own, nil)
	}
	nginx, err := version.NewVersion(status.Version)
	return errors.Join(err, d.Admits(own, nginx))
}

func orDash(s string) string { return cmp.Or(s, "-") }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
