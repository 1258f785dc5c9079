package engine

import (
	"maps"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/plan"
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

// planRoute makes a route's file and link what they have to be.
func (pl *planner) planRoute(rendered *rendering) error {
	r, t, now := rendered.route, rendered.site, rendered.now
	if now != nil && (t.managed.Certificate == nil || *t.managed.Certificate != *now) {
		pl.certs.shows = append(pl.certs.shows, handshake{ServerName: r.Domain(), Fullchain: now.Fullchain})
	}
	file := plan.File(rendered.text, 0o644)
	change := pl.routeChange(t, r, now, file)
	pl.planSite(&pl.routes, r.Address(), t, file, r.Enabled())
	if rendered.later != nil {
		rewritten, err := pl.planHTTPS(r, t, file, rendered.later)
		if err != nil {
			return err
		}
		// A certificate that is only renewed changes nothing about its route.
		if change.Action == plan.Unchanged && rewritten {
			change.Action, change.Reason = plan.Update, "goes to HTTPS once it has its certificate"
		}
	}
	pl.changes = append(pl.changes, change.Change)
	if r.RequireHealthy() && r.Enabled() && change.asked && !pl.req.checked {
		for _, url := range r.HealthURLs(pl.e.opts.HealthCheckPath) {
			pl.checks = append(pl.checks, checkHealthStep(r, url))
		}
	}
	return nil
}

// planDeletion removes a route: the link first, so that no link ever leads nowhere.
func (pl *planner) planDeletion(t *site) {
	address := "route." + t.name
	reason := "not in the desired state"
	if slices.Contains(pl.req.Delete, t.name) || pl.req.Operation == "destroy" {
		reason = "asked for"
	}
	pl.changes = append(pl.changes, plan.Change{Address: address, Action: plan.Delete, Reason: reason, Drifted: t.managed.Drifted || t.damaged != nil})
	pl.routes.drop(address, t)
	pl.reload = pl.reload || t.enabled
}
