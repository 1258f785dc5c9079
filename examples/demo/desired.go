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

// writeDesired takes examples/desired-state/proxies.json, fills in where this demo's services are, changes it, and writes
// it to proxies.json on the stage.
func (s *stage) writeDesired(change func(routes map[string]fields)) error {
	text, err := os.ReadFile("examples/desired-state/proxies.json")
	if err != nil {
		return err
	}
	var d desired
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	routes := map[string]fields{}
	for _, r := range d.Routes {
		up := s.upstreams["blue"]
		if r["droplet_name"] == "dashboard" {
			up = s.upstreams["green"]
		}
		r["upstream_host"], r["upstream_port"], r["enable_ssl"] = "127.0.0.1", up.Port(), false
		routes[r["droplet_name"].(string)] = r
	}
	change(routes)
	if text, err = json.MarshalIndent(d, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, "proxies.json"), append(text, '\n'), 0o644)
}
