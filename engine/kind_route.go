package engine

import (
	"context"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A route is a [resources.Route] as the engine plans it.
type route struct{ resources.Route }

func decodeRoute(b []byte) (Resource, error) {
	r, err := resources.ParseRoute(b)
	return route{r}, err
}

func routeAddress(name string) string { return resources.RouteKind + "." + name }

// nameOf returns the name in an address.
func nameOf(address string) string {
	_, name, _ := strings.Cut(address, ".")
	return name
}

// Claims are the route's domains.
func (r route) Claims() []Claim {
	domains := r.Domains()
	claims := make([]Claim, len(domains))
	for i, d := range domains {
		claims[i] = domainClaim(d)
	}
	return claims
}

// Names are what the route is asked for by.
func (r route) Names() []string { return r.Domains() }

// Needs are the files that all enabled routes share.
func (r route) Needs() []Resource { return routeNeeds }

var routeNeeds = []Resource{sharedMaps, sharedDefault}

// Plan plans the route's file, with the certificate that there is, and what is written anew once there is a better one.
func (r route) Plan(ctx context.Context, _ *host.Observer, b *Builder) error {
	pl := b.pl
	if err := pl.checkUpstreams(ctx, r.Route); err != nil {
		return err
	}
	now, later, err := pl.certificateOf(r.Route)
	if err != nil {
		return err
	}
	if err := b.site(func() ([]byte, error) { return r.Render(pl.s.settings, now) }); err != nil {
		return err
	}
	d, found := b.draft, b.draft.site.managed.Certificate
	d.cert = now
	if now != nil && (found == nil || *found != *now) {
		pl.certs.shows = append(pl.certs.shows, handshake{ServerName: r.Domain(), Fullchain: now.Fullchain})
	}
	if r.RequireHealthy() && r.Enabled() && !pl.req.checked {
		for _, url := range r.HealthURLs(pl.e.opts.Upstreams.CheckPath) {
			d.checks = append(d.checks, checkHealthStep(r.Route, url))
		}
	}
	if later != nil {
		d.then = func(first *plan.State) (string, error) { return pl.planHTTPS(r.Route, d.site, first, later) }
	}
	return nil
}

// route returns the route that a site was made from; zero if it is none, or does not say.
func (t *site) route() resources.Route {
	r, _ := t.resource.(route)
	return r.Route
}

// routeNow returns the route that there is under a name.
func (pl *planner) routeNow(name string) (resources.Route, bool) {
	t := pl.s.sites[routeAddress(name)]
	if t == nil || !t.ours || t.route().IsZero() {
		return resources.Route{}, false
	}
	return t.route(), true
}

// routeAfterwards returns the route that there will be under a name.
func (pl *planner) routeAfterwards(name string) (resources.Route, bool) {
	address := routeAddress(name)
	if r, ok := pl.wanted[address].(route); ok {
		return r.Route, true
	}
	if t := pl.s.sites[address]; t != nil && pl.isLeft(t) {
		return t.route(), true
	}
	return resources.Route{}, false
}
