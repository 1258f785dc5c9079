package main

import (
	"encoding/json"
	"errors"
)

func rollBack(s *stage) error {
	before := s.lab.Tree()
	s.say("One route goes, another changes ...")
	err := s.changeDesired(func(routes map[string]fields) {
		for _, r := range routes {
			delete(r, "read_timeout") // of the scene before, which was undone
		}
		routes["registry"]["upstream_port"] = s.upstreams["green"].Port()
		routes["dashboard"]["enabled"] = false
	})
	if err != nil {
		return err
	}
	if _, err := s.quietly(nil, "apply", "--auto-approve"); err != nil {
		return err
	}
	s.prove(s.curl("registry.example.com", "/name") == "green" && s.lab.Tree().Diff(before) != "", "a change of two routes is applied")

	s.say("... and that was a mistake.")
	if _, err := s.succeed("history"); err != nil {
		return err
	}
	id, err := s.lastApply()
	if err != nil {
		return err
	}
	if _, err := s.succeed("rollback", id, "--auto-approve"); err != nil {
		return err
	}
	s.prove(s.unchanged(before), "rollback restores every byte")
	s.prove(s.curl("registry.example.com", "/name") == "blue", "nginx serves what was rolled back to")
	return nil
}

func (s *stage) lastApply() (string, error) {
	d, err := s.quietly(nil, "history", "--json")
	if err != nil {
		return "", err
	}
	var entries []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(d.stdout), &entries); err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return "", errors.New("the history is empty")
	}
	return entries[0].ID, nil
}
