package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// A use is what a setting is for. A command takes the options of the settings whose uses it has, and refuses the others: an
// option that changes nothing would be taken for one that did.
type use uint

const (
	useNginx    use = 1 << iota // which nginx is asked for its version
	useState                    // where history, journal and lock are
	useHost                     // what the host is, and how it is looked at
	usePlan                     // what generated files and requests to a CA hold
	useChange                   // what is kept of an apply
	useIssue                    // whether putting a route obtains its certificate
	useRegistry                 // where the registry is
	useServe                    // how the service listens, introduces itself and logs

	useAlways use = 1<<iota - 1
)

const (
	looks   = useNginx | useState | useHost
	plans   = looks | usePlan
	changes = plans | useChange
)

// uses are those of each command.
var uses = map[string]use{
	"plan": plans, "apply": changes, "destroy": changes, "show": plans, "validate": useNginx,

	"list": looks, "get": looks, "put": changes | useIssue, "delete": changes, "ssl": changes, "renew": changes,

	"drift": plans, "adopt": changes, "history": useState, "rollback": changes, "recover": changes,
	"sync": changes | useRegistry, "health": looks, "serve": useAlways,

	"config": useAlways, "schema": 0, "version": useNginx, "completion": 0, "man": 0,
}

// means reports whether a command has a use for a setting.
func (t setting) means(command string) bool { return t.use == useAlways || t.use&uses[command] != 0 }

// checkOptions refuses an option that means nothing to the command.
func (p *program) checkOptions(command *cli.Command) error {
	for _, t := range settingsTable {
		if v := p.flags[t.variable]; v != nil && v.given && !t.means(command.Name) {
			return usagef("%s takes no option --%s, which is for: %s. See %s --help", command.Name, t.flagName(), strings.Join(t.commands(), ", "), command.HelpName)
		}
	}
	return nil
}

// commands are those that have a use for a setting.
func (t setting) commands() []string {
	var names []string
	for name := range uses {
		if t.means(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// settingOptions tells, for a command's help, which settings it takes as options.
func settingOptions(command string) string {
	var b strings.Builder
	width := 0
	for _, t := range settingsTable {
		if !t.means(command) {
			continue
		}
		option := "--" + t.flagName()
		if width += 1 + len(option); width > 100 {
			b.WriteString("\n  ")
			width = len(option)
		}
		b.WriteString(" " + option)
	}
	return b.String()
}
