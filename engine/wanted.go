package engine

import (
	"iter"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// resolve works out which routes are wanted, and which go.
func (pl *planner) resolve() error {
	pl.wanted, pl.doomed = map[string]resources.Route{}, map[string]bool{}
	for _, r := range pl.req.Routes {
		if pl.targeted(r.Address()) {
			pl.wanted[r.Name()] = r
		}
	}
	if pl.adopted != nil {
		pl.wanted[pl.adopted.route.Name()] = pl.adopted.route
	}
	if err := pl.wantCertified(); err != nil {
		return err
	}
	for _, name := range pl.req.Delete {
		t := pl.s.sites[name]
		if t == nil || isShared(name) || (!t.ours && !t.file.Exists && !t.linkState.Exists) {
			return notFound(name)
		}
		if !t.ours {
			return unmanaged(t.path)
		}
		pl.doomed[name] = true
	}
	if !pl.req.KeepUnlisted {
		for name, t := range pl.s.sites {
			if _, listed := pl.wanted[name]; !listed && t.ours && !isShared(name) && pl.targeted("route."+name) {
				pl.doomed[name] = true
			}
		}
	}
	return pl.checkTargets()
}

func (pl *planner) targeted(address string) bool {
	return len(pl.req.Targets) == 0 || slices.Contains(pl.req.Targets, address)
}

func (pl *planner) checkTargets() error {
	for _, target := range pl.req.Targets {
		known := slices.ContainsFunc(pl.req.Routes, func(r resources.Route) bool { return r.Address() == target }) ||
			slices.ContainsFunc(pl.req.Certificates, func(c resources.Certificate) bool { return c.Address() == target }) ||
			slices.ContainsFunc(pl.req.Resources, func(r Resource) bool { return r.Address() == target })
		name, isRoute := strings.CutPrefix(target, "route.")
		if t := pl.s.sites[name]; isRoute && t != nil && t.ours {
			known = true
		}
		if !known && !pl.isCertificate(target) {
			return failf(NotFound, nil, "nothing is called %.80q: a target is an address such as route.NAME, as plan prints it", target)
		}
	}
	return nil
}

// isLeft reports whether a site is a route that the plan leaves alone.
func (pl *planner) isLeft(t *site) bool {
	if !t.ours || isShared(t.name) || pl.doomed[t.name] || t.managed.Route.IsZero() {
		return false
	}
	_, wanted := pl.wanted[t.name]
	return !wanted
}

// afterwards returns the route that there will be under a name.
func (pl *planner) afterwards(name string) (resources.Route, bool) {
	if r, ok := pl.wanted[name]; ok {
		return r, true
	}
	if t := pl.s.sites[name]; t != nil && pl.isLeft(t) {
		return t.managed.Route, true
	}
	return resources.Route{}, false
}

// allAfterwards are the routes that there will be, in no order.
func (pl *planner) allAfterwards() iter.Seq[resources.Route] {
	return func(yield func(resources.Route) bool) {
		for _, r := range pl.wanted {
			if !yield(r) {
				return
			}
		}
		for _, t := range pl.s.sites {
			if pl.isLeft(t) && !yield(t.managed.Route) {
				return
			}
		}
	}
}
