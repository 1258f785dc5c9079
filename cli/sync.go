package cli

import (
	"encoding/json"

	"github.com/fullpotential-ai/proxy-manager/facade/registry"
	"github.com/urfave/cli/v2"
)

func (p *program) syncCommand() *cli.Command {
	return &cli.Command{
		Name: "sync", Category: groupHost,
		Usage: "create and update routes from the droplet registry",
		Description: `Reads REGISTRY_URL/droplets, deletes nothing, and makes one plan with one reload of all that can be served.
The droplets that are left out are named with the reason.

   REGISTRY_URL=https://registry.example.com proxy-manager sync --dry-run
   proxy-manager sync --auto-approve`,
		Flags:  changeOptions(),
		Action: p.sync,
	}
}

func (p *program) sync(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.writer(c)
	if err != nil {
		return err
	}
	y, err := registry.Prepare(c.Context, e, registry.New(p.settings.RegistryURL))
	if err != nil {
		return err
	}
	result := y.Result()
	for _, s := range result.Skipped {
		p.say("Skipped %s: %s", visible(s.Name), visible(s.Reason))
	}
	if err := p.planAndExecute(c, e, y.Request); err != nil || c.Bool(optDryRun) {
		return err
	}
	if c.Bool(optJSON) {
		return json.NewEncoder(p.Out).Encode(syncLine{lineSync, result})
	}
	return sayTo(p.Out, "In step with the registry: %s; %d skipped.\n", count(result.SyncedCount, "route"), result.SkippedCount)
}

// A syncLine comes after the lines of the apply, and says what GET /proxy-manager/sync-from-registry answers.
type syncLine struct {
	Type string `json:"type"`
	registry.Result
}
