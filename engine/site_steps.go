package engine

import (
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// sitesSteps are path steps in the order that keeps nginx's configuration whole after each of them: a file before the
// link to it, a link's removal before its file's.
type sitesSteps struct{ writes, links, unlinks, removals []plan.Step }

func (s sitesSteps) all() []plan.Step { return slices.Concat(s.writes, s.links, s.unlinks, s.removals) }

// planSite makes one file, and the link to it, what they have to be.
func (pl *planner) planSite(s *sitesSteps, address string, t *site, file *plan.State, enabled bool) {
	if !host.Same(t.file, file) {
		s.writes = append(s.writes, pathStep(address, t.path, t.file, file))
		pl.reload = pl.reload || enabled
	}
	switch {
	case enabled && !t.enabled:
		s.links = append(s.links, pathStep(address, t.link, t.linkState, plan.Link(t.path)))
		pl.reload = true
	case !enabled && t.enabled:
		s.unlinks = append(s.unlinks, pathStep(address, t.link, t.linkState, &plan.State{}))
		pl.reload = true
	}
}

func (s *sitesSteps) drop(address string, t *site) {
	if t.enabled {
		s.unlinks = append(s.unlinks, pathStep(address, t.link, t.linkState, &plan.State{}))
	}
	if t.file.Exists {
		s.removals = append(s.removals, pathStep(address, t.path, t.file, &plan.State{}))
	}
}
