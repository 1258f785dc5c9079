package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/cli"
)

// help returns what the program prints for --help.
func help(command ...string) (string, error) {
	var out bytes.Buffer
	args := slices.Concat([]string{"proxy-manager"}, command, []string{"--help"})
	exit := cli.Main(args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }})
	if exit != 0 {
		return "", fmt.Errorf("%v: exit code %d", args, exit)
	}
	return out.String(), nil
}

var (
	groupLine   = regexp.MustCompile(`^   (\S.*):$`)
	commandLine = regexp.MustCompile(`^     ([a-z-]+)(?:, [a-z]+)*  +(.+)$`)
	optionLine  = regexp.MustCompile(`^   (?:-\w, )?--([a-z-]+)`)
	settingLine = regexp.MustCompile(`^   --([a-z-]+)(?: value)?  +(.+) \[\$(\w+)\] \(default: (.+)\)$`)
)

// commands is a table of the commands with their options, and those that all share.
func commands(string) (string, error) {
	text, err := help()
	if err != nil {
		return "", err
	}
	var rows [][]string
	group := ""
	_, text, _ = strings.Cut(text, "\nCOMMANDS:\n")
	text, _, _ = strings.Cut(text, "\nGLOBAL OPTIONS:\n")
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := groupLine.FindStringSubmatch(line); m != nil {
			group = m[1]
		}
		m := commandLine.FindStringSubmatch(line)
		if m == nil || group == "" {
			continue
		}
		options, err := optionsOf(m[1])
		if err != nil {
			return "", err
		}
		rows = append(rows, []string{"`" + m[1] + "`", m[2], options})
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("no commands in:\n%s", text)
	}
	return "\n### Commands\n\n`proxy-manager COMMAND --help` says what each option means, with examples.\n\n" +
		table([]string{"command", "what it does", "options"}, rows) + "\n", nil
}

func optionsOf(command string) (string, error) {
	text, err := help(command)
	if err != nil {
		return "", err
	}
	_, text, _ = strings.Cut(text, "\nOPTIONS:\n")
	text, _, _ = strings.Cut(text, "\nSETTINGS") // which have a table of their own
	var names []string
	for line := range strings.Lines(text) {
		if m := optionLine.FindStringSubmatch(line); m != nil && m[1] != "help" {
			names = append(names, "`--"+m[1]+"`")
		}
	}
	return strings.Join(names, " "), nil
}

// settings is a table of what can be set in the settings file, in the environment, or by an option.
func settings(string) (string, error) {
	text, err := help()
	if err != nil {
		return "", err
	}
	var rows [][]string
	for line := range strings.Lines(text) {
		if m := settingLine.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			rows = append(rows, []string{"`" + m[3] + "`", "`--" + m[1] + "`", m[4], m[2]})
		}
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("no settings in:\n%s", text)
	}
	return "\n### Settings\n\nAn option wins over the environment, and that over the settings file, which every command reads as systemd does " +
		"and refuses if others could change it. A command takes the options that mean something to it. `proxy-manager config` prints what is in force, and where it comes from.\n\n" +
		table([]string{"variable", "option", "default", "meaning"}, rows) + "\n", nil
}
