package engine

import (
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A routeChange is a change of a route. It is asked for when somebody wants the route to be other than it was, and not
// when its file only has to follow nginx, the settings or its own description.
type routeChange struct {
	plan.Change
	asked bool
}

func (pl *planner) routeChange(t *site, r resources.Route, cert *resources.CertificateFiles, file *plan.State) routeChange {
	c := routeChange{Change: plan.Change{Address: r.Address(), Action: plan.Update}}
	fileFits, linkFits := sameState(t.file, file), r.Enabled() == t.enabled
	switch {
	case !t.ours:
		c.Action, c.Reason, c.asked = plan.Create, "not there yet", true
	case !t.file.Exists:
		c.Reason, c.Drifted = "its file was removed", true
	case t.damaged != nil:
		c.Reason, c.Drifted = "its header was damaged", true
	case t.managed.Drifted:
		c.Reason, c.Drifted, c.asked = "its file was edited by hand", true, !r.Equal(t.managed.Route)
	case fileFits && linkFits:
		c.Action, c.Reason = plan.Unchanged, "as it should be"
	case !r.Equal(t.managed.Route):
		c.Reason, c.asked = strings.Join(r.Changed(t.managed.Route), ", "), true
	case fileFits:
		c.Reason, c.Drifted = "its link was "+map[bool]string{true: "removed", false: "added"}[r.Enabled()], true
	case t.file.Mode.Perm() != file.Mode.Perm():
		c.Reason, c.Drifted = fmt.Sprintf("its file has mode %04o", t.file.Mode.Perm()), true
	case t.managed.Certificate == nil && cert != nil:
		c.Reason = "its certificate is there now"
	case t.managed.Certificate != nil && cert == nil:
		c.Reason = "its certificate is gone: HTTP only until there is one"
	default:
		c.Reason = "nginx or the settings have changed"
	}
	return c
}
