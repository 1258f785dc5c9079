package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Sync is what the Registry's droplets come to: one request for all that can be served, and a reason for each other.
type Sync struct {
	// Request puts the routes; it deletes nothing.
	Request engine.Request
	Skipped []Skipped
}

// A Result is what a sync has done.
type Result struct {
	// Synced are the names of the droplets that are now routed as the Registry says.
	Synced       []string  `json:"synced"`
	SyncedCount  int       `json:"synced_count"`
	Skipped      []Skipped `json:"skipped"`
	SkippedCount int       `json:"skipped_count"`
}

// Result returns what the sync has done once its request is applied.
func (y *Sync) Result() Result {
	r := Result{Synced: []string{}, Skipped: y.Skipped}
	for _, route := range y.Request.Routes {
		r.Synced = append(r.Synced, route.Name())
	}
	if r.Skipped == nil {
		r.Skipped = []Skipped{}
	}
	r.SyncedCount, r.SkippedCount = len(r.Synced), len(r.Skipped)
	return r
}

// Prepare asks the Registry, and finds out which of its droplets can be routed: one that is not valid, conflicts with
// something, or does not answer its health check is skipped with its reason and spoils none of the others.
func Prepare(ctx context.Context, eng *engine.Engine, registry *Client) (*Sync, error) {
	droplets, skipped, err := registry.droplets(ctx)
	if err != nil {
		return nil, err
	}
	y := &Sync{Request: engine.Put(), Skipped: skipped}
	y.Request.Operation = "sync"
	present, err := presentRoutes(ctx, eng)
	if err != nil {
		return nil, err
	}
	candidates := y.unclaimed(y.candidates(droplets, present), present)
	candidates = y.healthy(ctx, eng, candidates, present)
	y.Request.Routes, err = y.plannable(ctx, eng, candidates)
	return y, err
}

func presentRoutes(ctx context.Context, eng *engine.Engine) (map[string]resources.Route, error) {
	list, err := eng.Routes(ctx)
	if err != nil {
		return nil, err
	}
	present := make(map[string]resources.Route, len(list))
	for _, st := range list {
		present[st.Name] = st.Route
	}
	return present, nil
}

func (y *Sync) skip(name, format string, args ...any) {
	y.Skipped = append(y.Skipped, Skipped{Name: name, Reason: foreign.Clip(fmt.Sprintf(format, args...), 512)})
}

// candidates makes routes of droplets. Of two that want the same name or domain, the first has it.
func (y *Sync) candidates(droplets []droplet, present map[string]resources.Route) []resources.Route {
	var list []resources.Route
	names, owner := map[string]bool{}, map[string]string{}
	for _, d := range droplets {
		route, err := d.route(present[strings.ToLower(d.Name)])
		if err != nil {
			y.skip(d.Name, "%v", err)
			continue
		}
		if names[route.Name()] {
			y.skip(route.Name(), "the Registry has another droplet of that name")
			continue
		}
		if i := slices.IndexFunc(route.Domains(), func(domain string) bool { return owner[domain] != "" }); i >= 0 {
			domain := route.Domains()[i]
			y.skip(route.Name(), "its domain %s is that of %s", domain, owner[domain])
			continue
		}
		names[route.Name()] = true
		for _, domain := range route.Domains() {
			owner[domain] = route.Name()
		}
		list = append(list, route)
	}
	return list
}

// unclaimed leaves out the routes whose domains are those of present routes that stay as they are: because the Registry does
// not name them, or because they are left out for the same reason. Thousands of renamed droplets are found out in one pass.
func (y *Sync) unclaimed(list []resources.Route, present map[string]resources.Route) []resources.Route {
	claims, coming := map[string]int{}, map[string]bool{} // domains to places in list; names
	for i, route := range list {
		coming[route.Name()] = true
		for _, domain := range route.Domains() {
			claims[domain] = i
		}
	}
	var staying []string
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if !coming[name] {
			staying = append(staying, name)
		}
	}
	left := make([]bool, len(list))
	for len(staying) > 0 {
		name := staying[0]
		staying = staying[1:]
		for _, domain := range present[name].Domains() {
			i, claimed := claims[domain]
			if !claimed || left[i] || list[i].Name() == name {
				continue
			}
			left[i] = true
			y.skip(list[i].Name(), "its domain %s is that of the route %s", domain, name)
			if _, there := present[list[i].Name()]; there {
				staying = append(staying, list[i].Name())
			}
		}
	}
	var free []resources.Route
	for i, route := range list {
		if !left[i] {
			free = append(free, route)
		}
	}
	return free
}

// healthy leaves out the new and changed routes whose upstreams do not answer. They are all asked side by side.
func (y *Sync) healthy(ctx context.Context, eng *engine.Engine, list []resources.Route, present map[string]resources.Route) []resources.Route {
	reasons := make([]string, len(list))
	_ = host.ForEach(len(list), 64, func(i int) error {
		route := list[i]
		if !route.RequireHealthy() || !route.Enabled() || route.Equal(present[route.Name()]) {
			return nil
		}
		for _, url := range route.HealthURLs(eng.Options().Upstreams.CheckPath) {
			reasons[i] = cmp.Or(reasons[i], eng.CheckHealth(ctx, route.Name(), url).Reason)
		}
		return nil
	})
	var good []resources.Route
	for i, route := range list {
		if reasons[i] != "" {
			y.skip(route.Name(), "its upstream %s %s", route.Upstreams(), reasons[i])
			continue
		}
		good = append(good, route)
	}
	return good
}

// plannable returns the routes that can be planned together. Where they can't, each half is tried by itself, down to the
// single route that is at fault, whose error is the reason it is skipped.
func (y *Sync) plannable(ctx context.Context, eng *engine.Engine, list []resources.Route) ([]resources.Route, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err // nobody waits for it any more
	}
	if len(list) == 0 {
		return nil, nil
	}
	req := engine.Put(list...)
	_, err := eng.Plan(ctx, req)
	switch {
	case err == nil:
		return list, nil
	case !oneRoutesFault(err):
		return nil, err
	case len(list) == 1:
		y.skip(list[0].Name(), "%v", err)
		return nil, nil
	}
	left, err := y.plannable(ctx, eng, list[:len(list)/2])
	if err != nil {
		return nil, err
	}
	right, err := y.plannable(ctx, eng, list[len(list)/2:])
	return slices.Concat(left, right), err
}

func oneRoutesFault(err error) bool {
	spoilt := []engine.Code{engine.InvalidInput, engine.DomainConflict, engine.UnmanagedFile, engine.UpstreamUnhealthy}
	return slices.Contains(spoilt, engine.CodeOf(err))
}
