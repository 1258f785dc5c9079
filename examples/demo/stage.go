package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// A stage is the private host that the scenes play on.
type stage struct {
	*console
	lab       *enginetest.Lab
	upstreams map[string]*enginetest.Upstream
	binary    string
	dir       string // of the files that a user would have written
	root      string // of this repository
	wanted    desired
}

func newStage(c *console, root, binary string) (*stage, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run it as \"make demo\", which builds that first", err)
	}
	c.say("Starting a private nginx, an ACME CA (Pebble) with its DNS, and two services ...")
	lab, err := enginetest.New(enginetest.Options{ACME: true})
	if err != nil {
		return nil, err
	}
	s := &stage{console: c, lab: lab, binary: binary, root: root, dir: filepath.Join(lab.Dir, "desired")}
	s.upstreams = map[string]*enginetest.Upstream{"blue": lab.Upstream("blue"), "green": lab.Upstream("green")}
	c.say("nginx listens on the ports %d and %d, its files are below %s. No port below 1024, and no file of yours, is touched.", lab.HTTPPort, lab.HTTPSPort, lab.Dir)
	return s, os.Mkdir(s.dir, 0o755)
}

func (s *stage) close() {
	if err := s.lab.Close(); err != nil {
		s.say("clean up: %v", err)
	}
}

// A done command is what it printed and its exit code.
type done struct {
	stdout, stderr string
	exit           int
}

// all is what a terminal would have shown, but for the order.
func (d done) all() string { return d.stdout + d.stderr }

// command runs proxy-manager, shows what was typed and what came back.
func (s *stage) command(args ...string) (done, error) { return s.commandWith(nil, args...) }

// commandWith does the same with settings in the environment.
func (s *stage) commandWith(env map[string]string, args ...string) (done, error) {
	s.typed(env, args)
	d, err := s.quietly(env, args...)
	s.show(d.stdout)
	s.show(d.stderr)
	if d.exit != 0 {
		s.show(fmt.Sprintf("(exit code %d)", d.exit))
	}
	return d, err
}

func (s *stage) typed(env map[string]string, args []string) {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		words = append(words, name+"="+env[name])
	}
	words = append(append(words, "proxy-manager"), args...)
	s.print("\n  $ %s\n", s.paint(bold, strings.Join(words, " ")))
}

// quietly runs proxy-manager and shows nothing. An exit code other than 0 is no error.
func (s *stage) quietly(env map[string]string, args ...string) (done, error) {
	cmd := s.process(env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	d := done{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	return d, err
}

func (s *stage) process(env map[string]string, args ...string) *exec.Cmd {
	cmd := exec.Command(s.binary, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), s.lab.Env()...)
	cmd.Env = append(cmd.Env, "DEFAULT_SSL_EMAIL=demo@example.com", "USER=demo")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// succeed runs a command that has to succeed.
func (s *stage) succeed(args ...string) (done, error) {
	d, err := s.command(args...)
	if err == nil && d.exit != 0 {
		err = fmt.Errorf("proxy-manager %s ended with exit code %d", args[0], d.exit)
	}
	return d, err
}

// body is what nginx answers for a domain over HTTP: the error, where there is none.
func (s *stage) body(domain, path string) string {
	res, err := s.lab.Get(domain, path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(res.Body)
}

// curl shows a request through nginx and its answer.
func (s *stage) curl(domain, path string) string {
	s.print("\n  $ %s\n", s.paint(bold, "curl http://"+domain+path))
	body := s.body(domain, path)
	s.show(body)
	return body
}

// unchanged reports whether nginx's files are byte for byte what they were.
func (s *stage) unchanged(before enginetest.Tree) bool {
	diff := s.lab.Tree().Diff(before)
	if diff != "" {
		s.show(diff)
	}
	return diff == ""
}
