package engine

import (
	"maps"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A rendering is a wanted route on its way to the text that its file has to hold.
type rendering struct {
	route resources.Route
	site  *site
	now   *resources.CertificateFiles // the certificate it can be served with
	later *certificateSpec            // the one it has to get first, if any
	text  []byte
}

// planRoutes plans the wanted routes in order of name. Their texts, most of the work where there are thousands, are made
// side by side.
func (pl *planner) planRoutes() error {
	list := make([]*rendering, 0, len(pl.wanted))
	for _, name := range slices.Sorted(maps.Keys(pl.wanted)) {
		r, err := pl.prepare(pl.wanted[name])
		if err != nil {
			return err
		}
		list = append(list, r)
	}
	err := forEach(len(list), readers, func(i int) error {
		var err error
		list[i].text, err = list[i].route.Render(pl.s.settings, list[i].now)
		return err
	})
	if err != nil {
		return invalid(err)
	}
	for _, r := range list {
		if err := pl.planRoute(r); err != nil {
			return err
		}
	}
	return nil
}

// prepare finds a route's place and certificate, and refuses a place that is somebody else's.
func (pl *planner) prepare(route resources.Route) (*rendering, error) {
	t := pl.s.sites[route.Name()]
	if t == nil {
		t = pl.e.newSite(route.Name())
	}
	if t.file.Exists && !t.ours {
		return nil, unmanaged(t.path)
	}
	if t.linkState.Exists && !t.enabled {
		return nil, unmanaged(t.link)
	}
	if err := pl.checkUpstream(route); err != nil {
		return nil, err
	}
	now, later, err := pl.certificateOf(route)
	return &rendering{route: route, site: t, now: now, later: later}, err
}
