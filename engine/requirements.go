package engine

import (
	"slices"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Version is this program's version, for required_version and for people.
const Version = "0.1.0"

// oldestNginx is Debian 10's, and the oldest that is tested.
var (
	oldestNginx    = version.Must(version.NewVersion("1.18.0"))
	programVersion = version.Must(version.NewVersion(Version))
)

// checkVersions refuses what this program or this nginx is too old or too new for.
func (pl *planner) checkVersions() error {
	d := resources.Desired{RequiredVersion: pl.req.RequiredVersion, NginxVersion: pl.req.NginxVersion}
	if err := d.Admits(programVersion, pl.s.build.Version); err != nil {
		return Invalid(err)
	}
	if pl.s.build.Version.LessThan(oldestNginx) {
		return failf(InvalidInput, nil, "nginx %s is too old: 1.18 is the oldest that is supported", pl.s.build.Version)
	}
	return nil
}

// checkPrecondition lets the caller see the routes that the request names, and refuse.
func (pl *planner) checkPrecondition() error {
	if pl.req.Precondition == nil {
		return nil
	}
	addresses := slices.Clone(pl.req.Delete)
	for _, name := range slices.Concat(pl.req.Obtain, pl.req.Renew) {
		addresses = append(addresses, routeAddress(name))
	}
	for _, r := range pl.req.Routes {
		addresses = append(addresses, r.Address())
	}
	for _, address := range addresses {
		var now RouteStatus
		if t := pl.s.sites[address]; t != nil && t.ours {
			now = t.status()
		}
		if err := guarded(pl.e.log, "the precondition", func() error { return pl.req.Precondition(now) }); err != nil {
			return err
		}
	}
	return nil
}
