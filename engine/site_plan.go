package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

// A draft is a wanted site on its way to the text that its file has to hold.
type draft struct {
	resource Site
	site     *site
	render   func() ([]byte, error)
	text     []byte
	// cert is what the file has nginx read, if anything.
	cert *resources.CertificateFiles
	// checks come first of all, if somebody asks for the change: a site that only follows nginx or the settings goes on.
	checks []journal.Step
	// then, if set, plans what comes once the file is as planned. It says why the resource changes later, if it does.
	then func(first *plan.State) (later string, err error)
}

// site makes a draft of the resource, and refuses a place that is somebody else's. The text is made when render is called,
// beside those of others.
func (b *Builder) site(render func() ([]byte, error)) error {
	s, ok := b.resource.(Site)
	if !ok {
		return failf(Internal, nil, "%s is no Site", b.resource.Address())
	}
	t := b.pl.place(s.Address())
	if t.file.Exists && !t.ours {
		return unmanaged(t.path)
	}
	if t.other || t.ours && t.blocked {
		return failf(UnmanagedFile, errOther, "the place of %s is taken: 'proxy-manager recover' puts aside what is there", t.address).with("file", t.path)
	}
	if t.linkState.Exists && !t.enabled && !t.stray {
		return unmanaged(t.link)
	}
	b.draft = &draft{resource: s, site: t, render: render}
	return nil
}

// place is where a resource is among the sites, or will be.
func (pl *planner) place(address string) *site {
	if t := pl.s.sites[address]; t != nil {
		return t
	}
	return pl.e.newSite(address)
}

// planSite makes a site's file and link what they have to be. One without a text is not needed after all.
func (pl *planner) planSite(d *draft) error {
	t := d.site
	if d.text == nil {
		if t.ours {
			pl.planDeletion(t)
		}
		return nil
	}
	file := plan.File(d.text, 0o644)
	change := siteChange(d, file)
	if t.ours && t.file.Exists && !host.Same(t.file, file) {
		pl.moves.note(t.file.Content, d.text, pl.s.settings)
	}
	pl.putSite(t, file, d.resource.Enabled(), pl.depth(t.address))
	if d.then != nil {
		later, err := d.then(file)
		if err != nil {
			return err
		}
		if change.Action == plan.Unchanged && later != "" {
			change.Action, change.Reason = plan.Update, later
		}
	}
	pl.changes = append(pl.changes, change.Change)
	pl.drifted[t.address] = change.drift
	if change.Action != plan.Unchanged {
		pl.askChanged(d.resource, d.cert != nil)
	}
	if change.asked {
		pl.checks = append(pl.checks, d.checks...)
	}
	return nil
}

// planDeletion removes a site: the link first, so that no link ever leads nowhere.
func (pl *planner) planDeletion(t *site) {
	reason := "not in the desired state"
	switch {
	case pl.e.isImplied(t.address):
		reason = "nothing needs it any more"
	case slices.Contains(pl.req.Delete, t.address) || pl.req.Operation == "destroy":
		reason = "asked for"
	}
	drifted := t.managed.Drifted || t.damaged != nil
	pl.changes = append(pl.changes, plan.Change{Address: t.address, Action: plan.Delete, Reason: reason, Drifted: drifted})
	s := pl.stepsAt(pl.depth(t.address))
	if t.enabled || t.stray {
		s.unlinks = append(s.unlinks, pathStep(t.address, t.link, t.linkState, &plan.State{}))
	}
	switch {
	case t.other:
		pl.warnings = append(pl.warnings, fmt.Sprintf("%s is left where it is: %v", t.path, errOther))
	case t.file.Exists:
		s.removals = append(s.removals, pathStep(t.address, t.path, t.file, &plan.State{}))
	}
	pl.reload = pl.reload || t.enabled || t.stray
}

// putSite makes one file, and the link to it, what they have to be.
func (pl *planner) putSite(t *site, file *plan.State, enabled bool, depth int) {
	s := pl.stepsAt(depth)
	if !host.Same(t.file, file) {
		s.writes = append(s.writes, pathStep(t.address, t.path, t.file, file))
		pl.reload = pl.reload || enabled
	}
	switch {
	case enabled && !t.enabled:
		s.links = append(s.links, pathStep(t.address, t.link, t.linkState, plan.Link(t.path)))
		pl.reload = true
	case !enabled && (t.enabled || t.stray):
		s.unlinks = append(s.unlinks, pathStep(t.address, t.link, t.linkState, &plan.State{}))
		pl.reload = true
	}
}

// sitesSteps are path steps in the order that keeps nginx's configuration whole after each of them: a file before the
// link to it, a link's removal before its file's.
type sitesSteps struct{ writes, links, unlinks, removals []journal.Step }

func (pl *planner) stepsAt(depth int) *sitesSteps {
	s := pl.sites[depth]
	if s == nil {
		s = &sitesSteps{}
		pl.sites[depth] = s
	}
	return s
}

// siteSteps are the steps of all sites: what others need comes before them, and goes after them.
func (pl *planner) siteSteps() []journal.Step {
	var steps []journal.Step
	depths := slices.Sorted(maps.Keys(pl.sites))
	for _, depth := range slices.Backward(depths) {
		s := pl.sites[depth]
		steps = slices.Concat(steps, s.writes, s.links)
	}
	for _, depth := range depths {
		s := pl.sites[depth]
		steps = slices.Concat(steps, s.unlinks, s.removals)
	}
	return steps
}

// A siteDiff is what happens to a site. It is asked for when somebody wants the resource to be other than it was, and not
// when its file only has to follow nginx, the settings or its own description.
type siteDiff struct {
	plan.Change
	asked bool
	drift DriftKind // empty: nobody has changed it behind the program's back
}

func siteChange(d *draft, file *plan.State) siteDiff {
	t := d.site
	c := siteDiff{Change: plan.Change{Address: t.address, Action: plan.Update}}
	fileFits, linkFits := host.Same(t.file, file), d.resource.Enabled() == t.enabled && !t.stray
	switch {
	case !t.ours:
		c.Action, c.Reason, c.asked = plan.Create, "not there yet", true
	case !t.file.Exists:
		c.Reason, c.drift = "its file was removed", Missing
	case t.damaged != nil:
		c.Reason, c.drift = fmt.Sprintf("it was damaged: %v", t.damaged), Edited
	case t.managed.Drifted:
		c.Reason, c.drift, c.asked = "its file was edited by hand", Edited, len(changedFields(t.resource, d.resource)) > 0
	case fileFits && linkFits:
		c.Action, c.Reason = plan.Unchanged, "as it should be"
	default:
		c.explain(d, fileFits, file)
	}
	c.Drifted = c.drift != ""
	return c
}

// explain says why a file of ours that is whole is not as it should be.
func (c *siteDiff) explain(d *draft, fileFits bool, file *plan.State) {
	t := d.site
	changed := changedFields(t.resource, d.resource)
	switch {
	case len(changed) > 0:
		c.Reason, c.asked = strings.Join(changed, ", "), true
	case fileFits && t.stray:
		c.Reason, c.drift = "something else was put in place of its link", Unlinked
	case fileFits && d.resource.Enabled():
		c.Reason, c.drift = "its link was removed", Unlinked
	case fileFits:
		c.Reason, c.drift = "its link was added", Unlinked
	case t.file.Mode.Perm() != file.Mode.Perm():
		c.Reason, c.drift = fmt.Sprintf("its file has mode %04o", t.file.Mode.Perm()), Edited
	case t.managed.Certificate == nil && d.cert != nil:
		c.Reason = "its certificate is there now"
	case t.managed.Certificate != nil && d.cert == nil:
		c.Reason = "its certificate is gone: HTTP only until there is one"
	default:
		c.Reason = "nginx or the settings have changed"
	}
}

// changedFields names the fields in which two resources differ, as they are called in JSON.
func changedFields(a, b Resource) []string {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	if errors.Join(errA, errB) != nil {
		return nil
	}
	return fields.Changed(x, y)
}
