package main

import (
	"strconv"
	"strings"
)

func failures(s *stage) error {
	if err := s.portTaken(); err != nil {
		return err
	}
	return s.upstreamDown()
}

// portTaken is the failure that nginx itself hides: "nginx -t" does not bind, and "nginx -s reload" answers 0.
func (s *stage) portTaken() error {
	port := s.lab.FreePort()
	release := s.lab.Occupy(port)
	defer release()
	s.say("All routes are to move to port %d, which another process has. \"nginx -t\" accepts that, and \"nginx -s reload\" exits 0.", port)
	before := s.lab.Tree()
	d, err := s.commandWith(map[string]string{"NGINX_HTTP_PORT": strconv.Itoa(port)}, "apply", "--auto-approve")
	if err != nil {
		return err
	}
	s.prove(d.exit == 3, "a reload that nginx refuses is found: exit code 3, failed and undone")
	s.prove(strings.Contains(d.stderr, strconv.Itoa(port)), "the error names the port that is taken")
	s.prove(s.unchanged(before), "every byte, mode and link is as it was before")
	s.prove(s.allAnswer(), "the old routes still answer")
	return nil
}

func (s *stage) upstreamDown() error {
	s.say("\nA route to a service that is not there:")
	before := s.lab.Tree()
	d, err := s.command("put", "ghost", "--domain", "ghost.example.com", "--upstream-host", "127.0.0.1",
		"--upstream-port", strconv.Itoa(s.lab.FreePort()), "--enable-ssl=false", "--auto-approve")
	if err != nil {
		return err
	}
	s.prove(d.exit == 1 && strings.Contains(d.stderr, "UPSTREAM_UNHEALTHY"), "a route to a service that is down is refused: UPSTREAM_UNHEALTHY")
	s.prove(s.unchanged(before), "a refused route changes no byte")
	return nil
}
