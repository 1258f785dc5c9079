package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/upstream"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Where routes may lead: into no network that is denied, and not back to nginx itself. A name is judged by what it resolves to
// when the change is planned, and again when it is applied. What it resolves to later nobody judges: nginx looks
// it up for every request.

// destinations are what the planner has found out about where routes lead.
type destinations struct {
	inquiry *inquiry
	deny    upstream.Deny
	local   []netip.Addr // the addresses of this host
}

// destinations are looked up when they are first asked for: the names of all routes that change side by side.
func (pl *planner) destinations(ctx context.Context) *destinations {
	if pl.leads != nil {
		return pl.leads
	}
	ctx, q := pl.e.inquire(ctx)
	pl.leads = &destinations{inquiry: q, deny: q.network.Deny, local: localAddrs()}
	hosts := map[string]bool{}
	for _, r := range pl.wanted {
		if r, ok := r.(route); ok && pl.mustLookUp(r.Route) {
			for _, u := range r.Upstreams() {
				hosts[u.Host] = u.ByName()
			}
		}
	}
	maps.DeleteFunc(hosts, func(_ string, byName bool) bool { return !byName })
	names := slices.Sorted(maps.Keys(hosts))
	limited, cancel := q.limit(ctx, len(names))
	defer cancel()
	_ = host.ForEach(len(names), atOnce, func(i int) error { q.lookup(limited, names[i]); return nil })
	return pl.leads
}

// mustLookUp reports whether the names in a route have to be looked up: not those of one that stays as it is, which DNS could
// keep every plan of others waiting for.
func (pl *planner) mustLookUp(r resources.Route) bool {
	return !pl.req.checked && !pl.s.sites[r.Address()].keeps(r)
}

// checkUpstreams refuses a route that leads where none may lead. One that is there already, and not asked for, is only
// warned of: it is no reason to refuse the change of another.
func (pl *planner) checkUpstreams(ctx context.Context, r resources.Route) error {
	d := pl.destinations(ctx)
	for _, u := range r.Upstreams() {
		var addrs []netip.Addr
		if !u.ByName() || pl.mustLookUp(r) {
			found := d.inquiry.lookup(ctx, u.Host)
			if err := pl.noteLookup(ctx, r, found.err); err != nil {
				return err
			}
			addrs = found.addrs
		}
		err := d.refuse(r, u, addrs, pl.s.settings)
		if err == nil {
			continue
		}
		if pl.s.sites[r.Address()].keeps(r) && !pl.isListed(r) {
			pl.warnings = append(pl.warnings, err.Error())
			continue
		}
		return err
	}
	return nil
}

// noteLookup warns of a name that can't be looked up: whether that matters, require_healthy says.
func (pl *planner) noteLookup(ctx context.Context, r resources.Route, err error) error {
	if wrong, ok := errors.AsType[*upstream.LookupError](err); ok {
		pl.warnings = append(pl.warnings, fmt.Sprintf("upstream_host of %s: %s", r.Address(), wrong))
		return nil
	}
	if err != nil {
		return failf(Internal, err, "stopped while the upstream of %s was looked up", r.Address())
	}
	return nil
}

// isListed reports whether the request lists a route.
func (pl *planner) isListed(r resources.Route) bool {
	return slices.ContainsFunc(pl.req.Routes, func(listed resources.Route) bool { return listed.Name() == r.Name() })
}

// refuse returns why no route may lead to an upstream that is at these addresses.
func (d *destinations) refuse(r resources.Route, u resources.Upstream, addrs []netip.Addr, s resources.Settings) error {
	for _, addr := range addrs {
		at := ""
		if u.Host != addr.String() {
			at = " is " + addr.String() + ", which"
		}
		if network, denied := d.deny.Match(addr); denied {
			return failf(InvalidInput, nil, "upstream_host %s of %s%s is in %s, where no route may point (UPSTREAM_DENY)", u.Host, r.Address(), at, network).
				with("field", "upstream_host").with("constraint", "must not be in "+network.String())
		}
		if (u.Port == s.HTTPPort || u.Port == s.HTTPSPort) && d.isLocal(addr) {
			return failf(InvalidInput, nil, "upstream_port %d of %s is nginx's own at %s%s is an address of this host: each request would go round in a loop", u.Port, r.Address(), u.Host, at).
				with("field", "upstream_port").with("constraint", fmt.Sprintf("must not be %d or %d at an address of this host, where nginx itself listens", s.HTTPPort, s.HTTPSPort))
		}
	}
	return nil
}

func (d *destinations) isLocal(addr netip.Addr) bool {
	return slices.ContainsFunc(upstream.Forms(addr), func(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(d.local, a) })
}

// localAddrs returns the addresses of this host's interfaces.
func localAddrs() (addrs []netip.Addr) {
	list, _ := net.InterfaceAddrs() // where they can't be listed, loopback is still known
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				addrs = append(addrs, addr.Unmap())
			}
		}
	}
	return addrs
}

// checkRestored refuses to put back a route that leads where none may lead any more.
func (pl *planner) checkRestored(ctx context.Context) error {
	for _, step := range pl.own {
		if step.After == nil || !step.After.Exists || step.After.IsLink() {
			continue
		}
		r, ok := pl.e.readHeader(step.After.Content).resource.(route)
		if !ok {
			continue
		}
		if err := pl.checkUpstreams(ctx, r.Route); err != nil {
			return err
		}
	}
	return nil
}
