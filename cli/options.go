package cli

import (
	"log/slog"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/urfave/cli/v2"
)

// The names of options that several commands have.
const (
	optFile        = "file"
	optJSON        = "json"
	optOut         = "out"
	optExitCode    = "detailed-exitcode"
	optTarget      = "target"
	optKeep        = "keep-unlisted"
	optDryRun      = "dry-run"
	optApprove     = "auto-approve"
	optQuiet       = "quiet"
	optLockTimeout = "lock-timeout"
	optNetState    = "allow-network-state"
)

func jsonOption() cli.Flag {
	return &cli.BoolFlag{Name: optJSON, Usage: "print JSON", DisableDefaultText: true}
}

func fileOption() cli.Flag {
	return &cli.StringFlag{Name: optFile, Aliases: []string{"f"}, Value: "proxies.json", Usage: "`FILE` of the desired state; - is standard input"}
}

func exitCodeOption() cli.Flag {
	return &cli.BoolFlag{Name: optExitCode, Usage: "exit with 2 when there is something to do", DisableDefaultText: true}
}

// stateOptions limit what a desired state is held against.
func stateOptions() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: optTarget, Usage: "limit the changes to this `ADDRESS`, such as route.shop; may be repeated"},
		&cli.BoolFlag{Name: optKeep, Usage: "leave routes alone that are managed but not in the file", DisableDefaultText: true},
	}
}

// changeOptions are those of every command that changes something.
func changeOptions(more ...cli.Flag) []cli.Flag {
	return slices.Concat(more, []cli.Flag{
		&cli.BoolFlag{Name: optDryRun, Usage: "show the plan and change nothing", DisableDefaultText: true},
		&cli.BoolFlag{Name: optApprove, Usage: "do not ask", DisableDefaultText: true},
		&cli.BoolFlag{Name: optQuiet, Aliases: []string{"q"}, Usage: "with --auto-approve, print only how it ended and what is wrong", DisableDefaultText: true},
		&cli.BoolFlag{Name: optJSON, Usage: "print the events as lines of JSON; with --dry-run, the plan", DisableDefaultText: true},
		lockTimeoutOption(), networkStateOption(),
	})
}

func lockTimeoutOption() cli.Flag {
	return &cli.DurationFlag{
		Name: optLockTimeout, Value: 10 * time.Second, Usage: "how long to wait for another process that is changing the host",
		Action: func(_ *cli.Context, d time.Duration) error {
			if d < 0 {
				return usagef("--%s is %s, but must not be negative", optLockTimeout, d)
			}
			return nil
		},
	}
}

// lockTimeout is the option's value as the engine takes it, to which nothing is the default.
func lockTimeout(c *cli.Context) time.Duration {
	if d := c.Duration(optLockTimeout); d > 0 {
		return d
	}
	return -1
}

func networkStateOption() cli.Flag {
	return &cli.BoolFlag{Name: optNetState, Usage: "accept a state directory on a network file system, where the lock may not exclude other hosts", DisableDefaultText: true}
}

// engine opens the engine with the settings in force.
func (p *program) engine(c *cli.Context) (*engine.Engine, error) {
	o := p.settings.engineOptions()
	o.State.LockTimeout = lockTimeout(c)
	o.State.AllowNetwork = c.Bool(optNetState)
	o.Logger = slog.New(slog.NewTextHandler(p.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return engine.Open(o)
}

// reader opens the engine for a command that changes nothing. An interrupted apply is reported, and left to those that
// may write.
func (p *program) reader(c *cli.Context) (*engine.Engine, error) {
	e, err := p.engine(c)
	if err != nil {
		return nil, err
	}
	if interrupted, err := e.Interrupted(); err == nil && interrupted {
		p.say("Warning: an earlier apply was interrupted. The next command that changes something undoes it first; 'proxy-manager recover' does only that.")
	}
	return e, nil
}

// operand returns the one operand of a command.
func operand(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 || c.Args().First() == "" {
		return "", usagef("%s takes one %s, and got %d. See %s --help", c.Command.Name, what, c.NArg(), c.Command.HelpName)
	}
	return c.Args().First(), nil
}

// noOperands refuses operands where there is nothing that they could mean.
func noOperands(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("%s takes no operands, and got %.60q. See %s --help", c.Command.Name, c.Args().First(), c.Command.HelpName)
	}
	return nil
}
