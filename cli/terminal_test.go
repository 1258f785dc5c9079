package cli_test

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/cli"
	"github.com/matryer/is"
)

var oneAtATime sync.Mutex

// atTerminal runs the program in this process as a person at a terminal would, who types answer.
func (h *host) atTerminal(answer string, env []string, args ...string) outcome {
	h.t.Helper()
	vars := map[string]string{}
	for _, v := range append(h.env, env...) {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	var stdout, stderr bytes.Buffer
	streams := cli.Streams{
		In: strings.NewReader(answer), Out: &stdout, Err: &stderr, Getenv: func(name string) string { return vars[name] },
		InTerminal: true, OutTerminal: true, ErrTerminal: true,
	}
	oneAtATime.Lock() // a program has one set of flags
	defer oneAtATime.Unlock()
	code := cli.Main(append([]string{"proxy-manager"}, args...), streams)
	return outcome{code: code, stdout: stdout.String(), stderr: stderr.String()}
}

func TestOnlyYesGoesOn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	name := h.desire(h.Upstream("alpha").Port(), "alpha")
	before := h.Tree()
	for _, answer := range []string{"", "\n", "y\n", "no\n", "YES\n", "yes please\n"} {
		got := h.atTerminal(answer, nil, "apply", "-f", name)
		is.Equal(got.code, 1)
		is.True(strings.Contains(got.stdout, "Plan: 3 to add")) // shown before it asks
		is.True(strings.Contains(got.stderr, "nothing was changed"))
		is.Equal(h.Tree().Diff(before), "")
	}
	got := h.atTerminal("yes\n", nil, "apply", "-f", name)
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, "3 added"))
	got = h.atTerminal("", nil, "apply", "-f", name)
	is.Equal(got.code, 0) // nothing to do is nothing to ask
}

func TestColourIsForTerminalsThatWantIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	name := h.desire(h.Upstream("alpha").Port(), "alpha")
	is.True(strings.Contains(h.atTerminal("", nil, "plan", "-f", name).stdout, "\x1b[32m"))
	for _, quiet := range []string{"NO_COLOR=1", "TERM=dumb"} {
		is.True(!strings.Contains(h.atTerminal("", []string{quiet}, "plan", "-f", name).stdout, "\x1b"))
	}
	is.True(!strings.Contains(h.must("plan", "-f", name).stdout, "\x1b"))
}

func TestJSONAsksNobody(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	name := h.desire(h.Upstream("alpha").Port(), "alpha")
	got := h.atTerminal("yes\n", nil, "apply", "--json", "-f", name)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "--auto-approve"))
}

func TestTheDeviceNullIsNoTerminal(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	cmd := h.command("apply") // exec gives it /dev/null, a character device, to read from
	got := finish(t, cmd)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "there is no terminal"))
}

// script(1) is part of every Debian: it gives its command a terminal of its own.
func TestARealTerminalIsAskedAndGetsColour(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	cmd := exec.Command("script", "-qec", binary+" apply", "/dev/null")
	cmd.Env, cmd.Dir, cmd.Stdin = append(h.env, "TERM=xterm"), h.Dir, strings.NewReader("yes\n")
	got := finish(t, cmd)
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, "\x1b[32m+"))
	is.True(strings.Contains(got.stdout, `Only "yes" goes on`))
	is.True(strings.Contains(got.stdout, "3 added"))
}
