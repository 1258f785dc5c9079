package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// fields of a route, as in its JSON.
type fields = map[string]any

type desired struct {
	RequiredVersion string   `json:"required_version"`
	NginxVersion    string   `json:"nginx_version"`
	Routes          []fields `json:"routes"`
}

// loadDesired takes a desired state from examples/desired-state and fills in where this demo's services are.
func (s *stage) loadDesired(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.wanted); err != nil {
		return err
	}
	for _, r := range s.wanted.Routes {
		up := s.upstreams["blue"]
		if r["droplet_name"] == "dashboard" {
			up = s.upstreams["green"]
		}
		r["upstream_host"], r["upstream_port"], r["enable_ssl"] = "127.0.0.1", up.Port(), false
	}
	return s.saveDesired()
}

// changeDesired changes what is wanted of the routes, which are given by name.
func (s *stage) changeDesired(change func(routes map[string]fields)) error {
	routes := map[string]fields{}
	for _, r := range s.wanted.Routes {
		routes[r["droplet_name"].(string)] = r
	}
	change(routes)
	return s.saveDesired()
}

func (s *stage) saveDesired() error {
	text, err := json.MarshalIndent(s.wanted, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "proxies.json"), append(text, '\n'), 0o644)
}
