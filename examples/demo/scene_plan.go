package main

import (
	"path/filepath"
	"strings"
)

func planAndApply(s *stage) error {
	s.say("examples/desired-state/proxies.json, with this demo's ports filled in, is what is wanted.")
	if err := s.loadDesired(filepath.Join(s.root, "examples/desired-state/proxies.json")); err != nil {
		return err
	}
	before := s.lab.Tree()
	planned, err := s.succeed("plan")
	if err != nil {
		return err
	}
	s.prove(s.unchanged(before), "plan changes nothing")
	s.prove(strings.Contains(planned.stdout, "Plan: 5 to add, 0 to change, 0 to destroy."), "plan says what would be done: three routes and the two files that they share")

	if _, err := s.succeed("apply", "--auto-approve"); err != nil {
		return err
	}
	for domain, name := range map[string]string{"orchestrator.example.com": "blue", "registry.example.com": "blue", "dashboard.example.com": "green"} {
		if got := s.curl(domain, "/name"); got != name {
			s.prove(false, "%s answers %q: it answers %q", domain, name, got)
		}
	}
	s.prove(s.allAnswer(), "all three routes answer through nginx, from the right service")

	applied := s.lab.Tree()
	again, err := s.command("plan", "--detailed-exitcode")
	if err != nil {
		return err
	}
	s.prove(again.exit == 0, "a second plan has nothing to do")
	if _, err := s.quietly(nil, "apply", "--auto-approve"); err != nil {
		return err
	}
	s.prove(s.unchanged(applied), "a second apply changes no byte")
	return nil
}

func (s *stage) allAnswer() bool {
	return s.body("orchestrator.example.com", "/name") == "blue" &&
		s.body("registry.example.com", "/name") == "blue" &&
		s.body("dashboard.example.com", "/name") == "green"
}
