package cli

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

// commands are all that there is to type, in the order in which help shows them.
func (p *program) commands() []*cli.Command {
	return []*cli.Command{
		p.planCommand(),
		p.applyCommand(),
		p.destroyCommand(),
		p.showCommand(),
		p.validateCommand(),

		p.listCommand(),
		p.getCommand(),
		p.putCommand(),
		p.deleteCommand(),
		p.sslCommand(),
		p.renewCommand(),

		p.driftCommand(),
		p.adoptCommand(),
		p.historyCommand(),
		p.rollbackCommand(),
		p.recoverCommand(),
		p.syncCommand(),
		p.healthCommand(),
		p.serveCommand(),

		p.configCommand(),
		p.schemaCommand(),
		p.versionCommand(),
		p.completionCommand(),
		p.manCommand(),
	}
}

// The groups under which help lists the commands. Package cli sorts them by name.
const (
	groupState  = "Desired state"
	groupRoutes = "One route or certificate"
	groupHost   = "The host"
	groupAbout  = "This program"
)

// A program is one run of the command line.
type program struct {
	Streams          // Out and Err are the streams below
	out, err *stream // stdout and stderr
	flags    flagValues
	settings *settings // resolved before any command runs

	json     bool        // --json was given
	answered bool        // a JSON document is on stdout, and another would spoil it
	lines    *eventLines // the lines of an apply's events, once they have begun
	done     bool        // what was asked for is done, whatever becomes of what is said of it
	failed   atomic.Pointer[plan.Step]
}

func newProgram(s Streams) *program {
	p := &program{Streams: s, out: &stream{w: s.Out}, err: &stream{w: s.Err}}
	p.Out, p.Err = p.out, p.err
	return p
}

// Main runs what the arguments say, the program's name included, and returns what to exit with.
//
// The first SIGINT, SIGTERM or SIGHUP ends the run in good order, and so does a pipe that nobody reads any more: an apply
// finishes its step and is undone. The second SIGINT or SIGTERM ends the process at once, and the journal is there for the
// next run.
func Main(args []string, streams Streams) (code int) {
	ctx, stop := untilSignal()
	defer stop()
	p := newProgram(streams)
	defer func() {
		if v := recover(); v != nil {
			code = p.panicked(v)
		}
	}()
	return p.exit(p.run(ctx, args))
}

func (p *program) run(ctx context.Context, args []string) error {
	app := p.app()
	args, p.json = arrange(app, args)
	return app.RunContext(ctx, args)
}

func (p *program) app() *cli.App {
	flags, values := settingFlags()
	p.flags = values
	commands := p.commands()
	for _, c := range commands {
		c.OnUsageError = usageError // package cli does not pass it on
		c.CustomHelpTemplate = commandHelp + settingOptions(c.Name) + "\n"
		c.HideHelpCommand = true // "get help" is about a route of that name
	}
	return &cli.App{
		Name:        "proxy-manager",
		HelpName:    "proxy-manager",
		Usage:       "plan, apply and undo nginx routes and their certificates",
		Version:     engine.Version,
		Description: appDescription,
		Commands:    commands,
		Flags:       flags,
		Reader:      p.In, Writer: p.Out, ErrWriter: p.Err,

		Before:                 p.before,
		Action:                 p.noCommand,
		OnUsageError:           usageError,
		ExitErrHandler:         func(*cli.Context, error) {}, // only main exits
		Suggest:                true,
		EnableBashCompletion:   true,
		UseShortOptionHandling: false,
		// A path or a pattern may have a comma in it.
		DisableSliceFlagSeparator: true,
	}
}

const appDescription = `Routes and certificates are wanted in a file (proxies.json) or one by one. What has to be done is shown as a
plan with a diff of every file, is done only when it was approved, and is undone as a whole when a step fails.

   proxy-manager plan                                what would be done
   proxy-manager apply                               do it
   proxy-manager put shop --domain shop.example.com --upstream-port 8001

Every global option is an environment variable, too, and a line of the settings file. Options may stand before or
after what they belong to.
Exit codes: 0 done; 1 refused, nothing was changed; 2 changes are planned (plan and drift, --detailed-exitcode);
3 failed, and undone; 4 run "proxy-manager recover"; 5 the saved plan is stale; 6 another process has the lock.`

// commandHelp is package cli's template without the category, and with a word on the options that are not its own.
const commandHelp = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{.HelpName}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}} [options]

DESCRIPTION:
   {{template "descriptionTemplate" .}}

OPTIONS:{{template "visibleFlagTemplate" .}}

SETTINGS, as options of the same meaning (see proxy-manager --help):
  `

// before refuses wrong settings whatever the command, so that no wrong one waits to be found at night.
func (p *program) before(c *cli.Context) (err error) {
	command := c.App.Command(c.Args().First())
	if command != nil {
		if err := p.checkOptions(command); err != nil {
			return err
		}
	}
	if p.settings, err = resolve(p.flags, p.Getenv); err != nil {
		return err
	}
	if command == nil || command.Name != "serve" { // which logs them
		for _, w := range p.settings.warnings {
			p.say("Warning: %s", visible(w))
		}
	}
	return nil
}

// noCommand answers a command line without a command, or with one that does not exist.
func (p *program) noCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	name := c.Args().First()
	return usagef("there is no command %.60q. %s See proxy-manager --help", name, cli.SuggestCommand(c.App.Commands, name))
}

// usageError says what is wrong with an option, instead of printing all of the help over it.
func usageError(c *cli.Context, err error, _ bool) error {
	return usagef("%w. See %s --help", suggestFlag(c, err), c.Command.HelpName)
}

// usagef returns the error of a command line that can't be understood.
func usagef(format string, args ...any) error {
	return &engine.Error{Code: engine.InvalidInput, Err: fmt.Errorf(format, args...)}
}
