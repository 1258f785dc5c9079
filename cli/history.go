package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

func (p *program) historyCommand() *cli.Command {
	return &cli.Command{
		Name: "history", Category: groupHost, ArgsUsage: "[ID]",
		Usage: "list the applies of the past, newest first, or show one",
		Description: `They are kept for HISTORY_KEEP, with the text that they replaced: "proxy-manager rollback ID" puts it back. The
beginning of an id is enough where no other begins so, and "last" is the newest that was not undone.

   proxy-manager history
   proxy-manager history last --json
   proxy-manager history --json | jq -r '.[0].id'`,
		Flags:  []cli.Flag{jsonOption()},
		Action: p.history,
	}
}

func (p *program) history(c *cli.Context) error {
	if c.NArg() > 0 {
		return p.showEntry(c)
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
		p.say("No apply is kept.")
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

func (p *program) showEntry(c *cli.Context) error {
	id, err := operand(c, "ID")
	if err != nil {
		return err
	}
	e, err := p.reader(c)
	if err != nil {
		return err
	}
	entry, err := pastApply(e, id)
	if err != nil {
		return err
	}
	if c.Bool(optJSON) {
		return p.printJSON(entry)
	}
	return table(p.Out, []string{"FIELD", "VALUE"}, [][]string{
		{"id", entry.ID}, {"started", entry.StartedAt.Local().Format(time.DateTime)}, {"operation", entry.Operation}, {"actor", entry.Actor},
		{"result", orDash(string(entry.Result))}, {"summary", summaryText(entry.Summary)}, {"error", orDash(entry.Error)},
	})
}

// lastApply stands for the newest apply that was not undone.
const lastApply = "last"

// pastApply finds an apply of the past by the beginning of its id.
func pastApply(e *engine.Engine, id string) (engine.Entry, error) {
	entries, err := e.History()
	if err != nil {
		return engine.Entry{}, err
	}
	var found []engine.Entry
	for _, entry := range entries {
		switch {
		case entry.ID == id, id == lastApply && entry.Result != engine.EntryUndone:
			return entry, nil
		case strings.HasPrefix(entry.ID, id):
			found = append(found, entry)
		}
	}
	switch len(found) {
	case 0:
		return engine.Entry{}, &engine.Error{Code: engine.NotFound, Message: fmt.Sprintf("there is no apply %.80q in the history; 'proxy-manager history' shows those that are kept", id)}
	case 1:
		return found[0], nil
	default:
		return engine.Entry{}, usagef("%d applies begin with %.80q, such as %s and %s: give more of the id", len(found), id, found[0].ID, found[1].ID)
	}
}

func summaryText(s plan.Summary) string {
	return fmt.Sprintf("%d added, %d changed, %d destroyed", s.Create, s.Update, s.Delete)
}

func (p *program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name: "rollback", Category: groupHost, ArgsUsage: "ID|last",
		Usage: "put back what an apply of the past replaced",
		Description: `Refused once something else has changed the same files: then roll that back first. The beginning of an id is enough
where no other begins so, and "last" is the newest apply that was not undone.

   proxy-manager rollback last --dry-run`,
		Flags: changeOptions(),
		Action: func(c *cli.Context) error {
			id, err := operand(c, "ID")
			if err != nil {
				return err
			}
			e, err := p.writer(c)
			if err != nil {
				return err
			}
			past, err := pastApply(e, id)
			if err != nil {
				return err
			}
			return p.planAndExecute(c, e, engine.Rollback(past.ID))
		},
	}
}

func (p *program) recoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", Category: groupHost,
		Usage: "bring the host in order after an apply was interrupted, or files were damaged",
		Description: `Every command that changes something undoes an interrupted apply first, by itself and without asking; so this does not
ask either. Then files of the program's own that were damaged are written anew from what they say of themselves, and a
route of which nothing is known any more, or that keeps nginx from starting, is disabled. It fails while nginx
could not start.

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
		line(p.Err, "Error:", "nginx could not start: "+found.NginxError)
		line(p.Err, "  next:   ", "mend what nginx complains of, and run this again")
		return errCannotStart
	}
	return nil
}

func (p *program) showRecovery(c *cli.Context, found *engine.Recovery) error {
	if c.Bool(optJSON) {
		return p.printJSON(recoveryOf(found))
	}
	if found == nil {
		return sayTo(p.Out, "Nothing to recover: no apply was interrupted, and nginx could start.\n")
	}
	if text := found.String(); text != "" {
		return sayTo(p.Out, "Recovered: %s.\n", text)
	}
	return nil
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
	writer, running := e.Writer()
	if c.Bool(optJSON) {
		shown := map[string]any{"interrupted": interrupted}
		if running {
			shown["running"] = writer
		}
		return p.printJSON(shown)
	}
	switch {
	case interrupted:
		return sayTo(p.Out, "An apply was interrupted: recover would bring the host back to what it was before, or after, it.\n")
	case running:
		return sayTo(p.Out, "Nothing to recover: an apply is running, %s.\n", visible(writer.String()))
	default:
		return sayTo(p.Out, "Nothing to recover: no apply was interrupted.\n")
	}
}
