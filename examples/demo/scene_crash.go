package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

func crash(s *stage) error {
	before := s.lab.Tree()
	s.say("Every file is written, and nginx is about to test them, when the program is killed with SIGKILL.")
	err := s.changeDesired(func(routes map[string]fields) {
		for _, r := range routes {
			r["read_timeout"] = "5m"
		}
	})
	if err != nil {
		return err
	}
	if err := s.killedAt(plan.TestConfig, "apply", "--auto-approve", "--json"); err != nil {
		return err
	}
	half := s.lab.Tree()
	s.prove(half.Diff(before) != "", "the kill left the host half-way")
	s.prove(s.body("dashboard.example.com", "/name") == "green", "nginx goes on serving after the kill")

	planned, err := s.command("plan")
	if err != nil {
		return err
	}
	s.prove(strings.Contains(planned.all(), "interrupted"), "plan says that an apply was interrupted")
	s.prove(s.unchanged(half), "plan leaves what it found as it is")

	if _, err := s.succeed("recover"); err != nil {
		return err
	}
	s.prove(s.unchanged(before), "recover brings every byte back to what it was before the apply")
	return nil
}

// killedAt runs proxy-manager and kills it with SIGKILL as soon as it tells that a step of this kind begins.
func (s *stage) killedAt(kind string, args ...string) error {
	s.typed(nil, args)
	cmd := s.process(nil, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20) // an event holds its step's diff
	for lines.Scan() {
		var ev engine.Event
		if json.Unmarshal(lines.Bytes(), &ev) != nil || ev.Type != engine.StepStarted || ev.Step.Kind != kind {
			continue
		}
		err = cmd.Process.Kill()
		s.show(fmt.Sprintf("... %s: kill -9 %d", ev.Step.Description, cmd.Process.Pid))
		_ = cmd.Wait() // always an error: it was killed
		return err
	}
	return errors.Join(fmt.Errorf("no step %s began", kind), lines.Err(), cmd.Wait())
}
