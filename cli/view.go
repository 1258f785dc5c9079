package cli

import (
	"encoding/json"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// viewOf is a route as GET /proxies/NAME answers it.
func viewOf(r engine.RouteStatus) any {
	m := map[string]any{}
	if b, err := json.Marshal(r.Route); err == nil && !r.Route.IsZero() {
		_ = json.Unmarshal(b, &m)
		m["upstream"] = r.Route.UpstreamURL()
	}
	m["droplet_name"], m["status"], m["drifted"], m["ssl_enabled"] = r.Name, r.Status, r.Drifted, r.HTTPS
	return m
}

func viewsOf(routes []engine.RouteStatus) []any {
	views := make([]any, len(routes))
	for i, r := range routes {
		views[i] = viewOf(r)
	}
	return views
}
