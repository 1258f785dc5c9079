package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

func changeARoute(s *stage) error {
	s.say("The registry may take larger bodies, and gets a second name.")
	err := s.changeDesired(func(routes map[string]fields) {
		routes["registry"]["max_body_size"] = "500m"
		routes["registry"]["aliases"] = []string{"index.example.com"}
	})
	if err != nil {
		return err
	}
	planned, err := s.command("plan", "--detailed-exitcode", "--out", "plan.json")
	if err != nil {
		return err
	}
	s.prove(planned.exit == 2, "plan --detailed-exitcode tells a script that there is something to do")

	s.say("The diff is one that patch takes. What patch makes of the old file, and what apply writes:")
	patched, err := s.patched("plan.json", "fpai-registry.conf")
	if err != nil {
		return err
	}
	if _, err := s.succeed("apply", "plan.json", "--auto-approve"); err != nil {
		return err
	}
	written, err := os.ReadFile(filepath.Join(s.lab.SitesAvailable, "fpai-registry.conf"))
	if err != nil {
		return err
	}
	s.prove(patched == string(written), "patch, given the plan's diff, makes byte for byte what apply writes")
	s.prove(s.curl("index.example.com", "/name") == "blue", "the new name answers")

	stale, err := s.command("apply", "plan.json", "--auto-approve")
	if err != nil {
		return err
	}
	s.prove(stale.exit == 5, "the saved plan can't be applied twice: it is stale, and says what has changed")
	return nil
}

// patched returns what patch makes of a site's file with its diff from a saved plan.
func (s *stage) patched(planFile, site string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, planFile))
	if err != nil {
		return "", err
	}
	var p plan.Plan
	if err := json.Unmarshal(text, &p); err != nil {
		return "", err
	}
	for _, step := range p.Steps {
		if step.Kind == plan.WriteFile && filepath.Base(step.Path) == site {
			out := filepath.Join(s.dir, "patched.conf")
			cmd := exec.Command("patch", "--silent", "--output", out, step.Path)
			cmd.Stdin = strings.NewReader(step.Diff)
			if msg, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("patch: %w: %s", err, msg)
			}
			text, err := os.ReadFile(out)
			return string(text), err
		}
	}
	return "", fmt.Errorf("%s writes no %s", planFile, site)
}
