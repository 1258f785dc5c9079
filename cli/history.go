package cli

import (
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

func (p *program) historyCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Category: groupHost,
		Usage: "list the applies of the past, newest first",
		Description: `They are kept for 7 days, with the text that they replaced: "proxy-manager rollback ID" puts it back.

   proxy-manager history
   proxy-manager history --json | jq -r '.[0].id'`,
		Flags:  []cli.Flag{jsonOption()},
		Action: p.history,
	}
}

func (p *program) history(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	entries, err := e.History()
	if err != nil {
		return err
	}
	if c.Bool(optJSON) {
		return p.printJSON(entries)
	}
	if len(entries) == 0 {
		p.say("Nothing was applied in the last days.")
		return nil
	}
	rows := make([][]string, len(entries))
	for i, entry := range entries {
		rows[i] = []string{
			entry.ID, entry.StartedAt.Local().Format(time.DateTime), entry.Operation, entry.Actor, string(entry.Result), summaryText(entry.Summary),
		}
	}
	return table(p.Out, []string{"ID", "STARTED", "OPERATION", "ACTOR", "RESULT", "SUMMARY"}, rows)
}

func summaryText(s plan.Summary) string {
	return fmt.Sprintf("%d added, %d changed, %d destroyed", s.Create, s.Update, s.Delete)
}

func (p *program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name: "rollback", Category: groupHost, ArgsUsage: "ID",
		Usage: "put back what an apply of the past replaced",
		Description: `Refused once something else has changed the same files: then roll that back first.

   proxy-manager rollback "$(proxy-manager history --json | jq -r '.[0].id')" --dry-run`,
		Flags: changeOptions(),
		Action: func(c *cli.Context) error {
			id, err := operand(c, "ID")
			if err != nil {
				return err
			}
			return p.change(c, engine.Rollback(id))
		},
	}
}

func (p *program) recoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", Category: groupHost,
		Usage: "bring the host in order after an apply was interrupted",
		Description: `Every command that changes something does this first, by itself and without asking; so it does not ask either.
Exits with 1 while nginx could not start.

   proxy-manager recover --dry-run
   proxy-manager recover`,
		Flags:  changeOptions(),
		Action: p.recover,
	}
}

func (p *program) recover(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	e, err := p.engine(c)
	if err != nil {
		return err
	}
	if c.Bool(optDryRun) {
		return p.showInterrupted(c, e)
	}
	found, err := e.Recover(c.Context)
	if err != nil {
		return err
	}
	p.done = true
	if err := p.showRecovery(c, found); err != nil {
		return err
	}
	if found != nil && found.NginxError != "" {
		return &engine.Error{Code: engine.NginxBroken, Message: "nginx can't start as it is: " + found.NginxError}
	}
	return nil
}

func (p *program) showRecovery(c *cli.Context, found *engine.Recovery) error {
	if c.Bool(optJSON) {
		return p.printJSON(recoveryOf(found))
	}
	if found == nil {
		return sayTo(p.Out, "Nothing to recover: no apply was interrupted.\n")
	}
	return sayTo(p.Out, "Recovered: %s.\n", found)
}

// A recovery is what recover --json answers, also where there was nothing to recover.
type recovery struct {
	Recovered bool `json:"recovered"`
	engine.Recovery
}

func recoveryOf(found *engine.Recovery) recovery {
	if found == nil {
		return recovery{}
	}
	return recovery{true, *found}
}

func (p *program) showInterrupted(c *cli.Context, e *engine.Engine) error {
	interrupted, err := e.Interrupted()
	if err != nil {
		return err
	}
	if c.Bool(optJSON) {
		return p.printJSON(map[string]bool{"interrupted": interrupted})
	}
	if interrupted {
		return sayTo(p.Out, "An apply was interrupted: recover would bring the host back to what it was before, or after, it.\n")
	}
	return sayTo(p.Out, "Nothing to recover: no apply was interrupted.\n")
}
