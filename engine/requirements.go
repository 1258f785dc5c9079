package engine

import (
	"slices"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/hashicorp/go-version"
)

// Version is this program's version, for required_version and for people.
const Version = "0.1.0"

// checkVersions refuses what this program or this nginx is too old or too new for.
func (pl *planner) checkVersions() error {
	for _, c := range []struct{ field, constraint, what, version string }{
		{"required_version", pl.req.RequiredVersion, "proxy-manager", Version},
		{"nginx_version", pl.req.NginxVersion, "nginx", pl.s.build.Version.String()},
	} {
		if c.constraint == "" {
			continue
		}
		constraints, err := version.NewConstraint(c.constraint)
		if err != nil {
			return failf(InvalidInput, err, "%s is no version constraint", c.field).with("field", c.field)
		}
		v, err := version.NewVersion(c.version)
		if err != nil {
			return failf(Internal, err, "the version of %s", c.what)
		}
		if !constraints.Check(v) {
			return failf(InvalidInput, nil, "%s is %q, and %s here is %s", c.field, c.constraint, c.what, c.version).
				with("field", c.field).with("constraint", c.constraint)
		}
	}
	if min := version.Must(version.NewVersion("1.18.0")); pl.s.build.Version.LessThan(min) {
		return failf(InvalidInput, nil, "nginx %s is too old: 1.18 is the oldest that is supported", pl.s.build.Version)
	}
	return nil
}

// checkPrecondition lets the caller see the routes that the request names, and refuse.
func (pl *planner) checkPrecondition() error {
	if pl.req.Precondition == nil {
		return nil
	}
	names := slices.Concat(pl.req.Delete, pl.req.Obtain, pl.req.Renew)
	for _, r := range pl.req.Routes {
		names = append(names, r.Name())
	}
	for _, name := range names {
		var now RouteStatus
		if t := pl.s.sites[name]; t != nil && t.ours {
			now = t.status()
		}
		if err := pl.req.Precondition(now); err != nil {
			return err
		}
	}
	return nil
}

func (pl *planner) checkUpstream(r resources.Route) error {
	for _, denied := range pl.e.opts.UpstreamDeny {
		if slices.ContainsFunc(r.Upstreams(), func(u resources.Upstream) bool { return denied.Contains(u.Addr()) }) {
			return failf(InvalidInput, nil, "upstream_host of %s is in %s, where no route may point (UPSTREAM_DENY)", r.Address(), denied).
				with("field", "upstream_host").with("constraint", "must not be in "+denied.String())
		}
	}
	return nil
}
