package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts the arguments into the order that package cli wants, which reads options only in front of what they
// belong to: global options, the command, its options, "--", and what is left. People type
//
//	put shop --domain shop.example.com --nginx-conf /srv/nginx.conf
//
// An option behind the command is the command's if it has one of that name, and a global one otherwise. What an option
// takes as its value is never looked at, nor is anything behind "--". It reports also whether the command is to answer in
// JSON, which holds for errors of the command line, too.
func arrange(app *cli.App, args []string) (arranged []string, inJSON bool) {
	if len(args) < 2 || args[len(args)-1] == completionFlag {
		return args, false
	}
	a := arrangement{app: app, program: args[0]}
	for rest := args[1:]; len(rest) > 0; {
		rest = rest[a.take(rest):]
	}
	return a.result(), a.json
}

const completionFlag = "--generate-bash-completion"

type arrangement struct {
	app     *cli.App
	program string
	command *cli.Command // nil until its name was met

	name                  []string // the command's, as typed
	global, own, operands []string
	json                  bool
}

// take sorts in the first of the arguments, with its value if it has one, and returns how many it took.
func (a *arrangement) take(args []string) int {
	arg := args[0]
	switch {
	case arg == "--":
		a.operands = append(a.operands, args[1:]...)
		return len(args)
	case len(arg) > 1 && arg[0] == '-':
		return a.option(args)
	case len(a.name) == 0:
		a.name, a.command = []string{arg}, a.app.Command(arg)
	default:
		a.operands = append(a.operands, arg)
	}
	return 1
}

func (a *arrangement) option(args []string) int {
	name, value, joined := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
	if on, err := yesOrNo(value); name == optJSON && (!joined || err == nil && on) {
		a.json = true
	}
	list, flag := &a.global, find(a.app.Flags, name)
	if len(a.name) > 0 {
		if own := find(a.commandFlags(), name); own != nil || flag == nil {
			list, flag = &a.own, own
		}
	}
	n := 1
	if flag != nil && !joined && takesValue(flag) && len(args) > 1 {
		n = 2
	}
	*list = append(*list, args[:n]...)
	return n
}

func (a *arrangement) commandFlags() []cli.Flag {
	if a.command == nil {
		return nil
	}
	return a.command.Flags
}

func (a *arrangement) result() []string {
	out := slices.Concat([]string{a.program}, a.global, a.name, a.own)
	if len(a.operands) > 0 {
		out = append(append(out, "--"), a.operands...)
	}
	return out
}

func find(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

func takesValue(f cli.Flag) bool {
	switch f := f.(type) {
	case *cli.BoolFlag:
		return false
	case *cli.GenericFlag:
		v, ok := f.Value.(*flagValue)
		return !ok || !v.boolean
	}
	return true
}

// suggestFlag adds to the error of an unknown option the name of the one that was probably meant.
func suggestFlag(c *cli.Context, err error) error {
	const unknown = "flag provided but not defined: -"
	name, ok := strings.CutPrefix(err.Error(), unknown)
	if !ok {
		return err
	}
	flags := slices.Concat(c.Command.Flags, c.App.Flags)
	return errors.New("there is no option --" + strings.TrimLeft(name, "-") + ". Did you mean " + cli.SuggestFlag(flags, name, true) + "?")
}
