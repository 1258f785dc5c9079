package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/hashicorp/go-version"
)

// Version is this program's version, for required_version and for people.
const Version = "0.1.0"

// Plan computes what has to be done, and changes nothing. The same host and the same request give the same plan.
func (e *Engine) Plan(ctx context.Context, req Request) (*plan.Plan, error) {
	p, _, err := e.plan(ctx, req)
	if err != nil {
		return nil, err
	}
	if hot, err := hotJournals(e.fs, e.opts.StateDir); err == nil && len(hot) > 0 {
		p.Warnings = append(p.Warnings, interruptedWarning)
		if err := p.Seal(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

const interruptedWarning = "an earlier apply was interrupted and is not undone yet; the next command that changes something, or 'proxy-manager recover', brings the host back to what it was before it"

func (e *Engine) plan(ctx context.Context, req Request) (*plan.Plan, *survey, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, err := e.planFrom(ctx, req, s)
	return p, s, err
}

func (e *Engine) planFrom(ctx context.Context, req Request, s *survey) (*plan.Plan, error) {
	pl := newPlanner(e, req, s)
	if err := pl.run(ctx); err != nil {
		return nil, err
	}
	return pl.assemble()
}

// A planner makes a plan from a survey.
type planner struct {
	e   *Engine
	req Request
	s   *survey

	changes  []plan.Change
	warnings []string

	wanted map[string]resources.Route // by name
	doomed map[string]bool            // names of sites to delete

	own       []plan.Step // steps of resources of one's own
	checks    []plan.Step
	shared    sitesSteps
	routes    sitesSteps
	gone      sitesSteps // shared files that no route needs any more
	adopted   *adoption  // the site that becomes a route, if one does
	certs     certificates
	obtain    []*obtaining
	deletions []plan.Step // of certificates, once nothing names them
	reload    bool        // what nginx includes changes
}

// sitesSteps are path steps in the order that keeps nginx's configuration whole after each of them: a file before the
// link to it, a link's removal before its file's.
type sitesSteps struct{ writes, links, unlinks, removals []plan.Step }

func (s sitesSteps) all() []plan.Step { return slices.Concat(s.writes, s.links, s.unlinks, s.removals) }

func newPlanner(e *Engine, req Request, s *survey) *planner {
	return &planner{e: e, req: req, s: s, certs: newCertificates()}
}

func (pl *planner) run(ctx context.Context) error {
	if err := pl.checkVersions(); err != nil {
		return err
	}
	if err := pl.checkPrecondition(); err != nil {
		return err
	}
	if pl.req.Rollback != "" {
		return pl.planRollback(pl.req.Rollback)
	}
	if err := pl.planAdoption(); err != nil {
		return err
	}
	if err := pl.resolve(); err != nil {
		return err
	}
	if err := pl.checkConflicts(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(pl.doomed)) {
		pl.planDeletion(pl.s.sites[name])
	}
	if err := pl.lookAtCertificates(); err != nil {
		return err
	}
	if err := pl.planRoutes(); err != nil {
		return err
	}
	if err := pl.finishAdoption(); err != nil {
		return err
	}
	if err := pl.planShared(); err != nil {
		return err
	}
	if err := pl.planCertificates(); err != nil {
		return err
	}
	pl.planUnloaded(ctx)
	pl.reload = pl.reload || pl.req.Reload
	return pl.planOwn(ctx)
}

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

// isShared tells the names of files that routes share from those of routes.
func isShared(name string) bool { return strings.HasPrefix(name, "_") }

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

func notFound(name string) *Error {
	return failf(ProxyNotFound, nil, "there is no route named %.80q; 'proxy-manager list' shows those that are", name).with("droplet_name", name)
}

func unmanaged(path string) *Error {
	return failf(UnmanagedFile, nil, "%s was not written by this program and is left alone: rename it, or take it over with 'proxy-manager adopt'", path).with("file", path)
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

func (s *sitesSteps) drop(address string, t *site) {
	if t.enabled {
		s.unlinks = append(s.unlinks, pathStep(address, t.link, t.linkState, &plan.State{}))
	}
	if t.file.Exists {
		s.removals = append(s.removals, pathStep(address, t.path, t.file, &plan.State{}))
	}
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
		pl.checks = append(pl.checks, checkHealthStep(r, pl.e.opts.HealthCheckPath))
	}
	return nil
}

// planSite makes one file, and the link to it, what they have to be.
func (pl *planner) planSite(s *sitesSteps, address string, t *site, file *plan.State, enabled bool) {
	if !sameState(t.file, file) {
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
		c.Reason, c.asked = strings.Join(changedFields(t.managed.Route, r), ", "), true
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

// changedFields names the fields that differ, as they are called in JSON.
func changedFields(a, b resources.Route) []string {
	var x, y map[string]json.RawMessage
	for r, m := range map[*resources.Route]*map[string]json.RawMessage{&a: &x, &b: &y} {
		if text, err := json.Marshal(r); err == nil {
			_ = json.Unmarshal(text, m)
		}
	}
	var names []string
	for name := range y {
		if string(x[name]) != string(y[name]) {
			names = append(names, name)
		}
	}
	for name := range x {
		if _, ok := y[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (pl *planner) checkUpstream(r resources.Route) error {
	addr := r.UpstreamAddr().Unmap()
	if !addr.IsValid() {
		return nil
	}
	for _, denied := range pl.e.opts.UpstreamDeny {
		if denied.Contains(addr) {
			return failf(InvalidInput, nil, "upstream_host of %s is in %s, where no route may point (UPSTREAM_DENY)", r.Address(), denied).
				with("field", "upstream_host").with("constraint", "must not be in "+denied.String())
		}
	}
	return nil
}

// planOwn lets the caller's own resources plan themselves.
func (pl *planner) planOwn(ctx context.Context) error {
	planned := map[string]*plan.State{}
	for _, r := range pl.req.Resources {
		if !pl.targeted(r.Address()) {
			continue
		}
		b := &Builder{obs: pl.s.obs, planned: planned, address: r.Address(), change: plan.Change{Address: r.Address()}}
		if err := r.Plan(ctx, pl.s.obs, b); err != nil {
			return fmt.Errorf("plan %s: %w", r.Address(), err)
		}
		if b.change.Action == "" {
			b.Change(map[bool]plan.Action{true: plan.Update, false: plan.Unchanged}[len(b.steps) > 0], "")
		}
		pl.changes = append(pl.changes, b.change)
		pl.own = append(pl.own, b.steps...)
	}
	return nil
}

// assemble puts the steps in order and numbers them.
func (pl *planner) assemble() (*plan.Plan, error) {
	p := &plan.Plan{FormatVersion: plan.FormatVersion, ToolVersion: Version, Operation: pl.req.Operation, Warnings: append(pl.s.warnings, pl.warnings...)}
	var err error
	if p.Request, err = json.Marshal(pl.req); err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	steps := slices.Concat(pl.checks, pl.own, pl.shared.all(), pl.routes.all(), pl.gone.all())
	if pl.reload {
		steps = append(steps, takeEffect(pl.certs.shows)...)
	}
	steps = append(steps, pl.obtainSteps(len(steps))...)
	steps = append(steps, pl.deletions...)
	complete(steps)
	p.Steps = steps
	slices.SortStableFunc(pl.changes, func(a, b plan.Change) int { return cmp.Compare(a.Address, b.Address) })
	p.Changes = pl.changes
	p.Summary = summarise(pl.changes)
	p.Fingerprints = pl.s.obs.fingerprints()
	return p, p.Seal()
}

// complete numbers the steps of a plan, and draws the diffs of those that change a path: side by side, since they are most
// of the work where there are thousands.
func complete(steps []plan.Step) {
	_ = forEach(len(steps), readers, func(i int) error {
		s := &steps[i]
		if s.ID = stepID(i); isPathStep(*s) {
			s.Diff = plan.Diff(s.Path, s.Before, s.After)
		}
		return nil
	})
}

func stepID(i int) string { return fmt.Sprintf("s%d", i+1) }

// obtainSteps are the steps that get certificates and take them into use, with one test and one reload for all.
func (pl *planner) obtainSteps(first int) []plan.Step {
	if len(pl.obtain) == 0 {
		return nil
	}
	var steps, use []plan.Step
	var shows []handshake
	for _, o := range pl.obtain {
		id := stepID(first + len(steps))
		steps = append(steps, o.step)
		for _, h := range o.shows {
			h.DependsOn = id
			shows = append(shows, h)
		}
		for _, u := range o.use {
			u.DependsOn = []string{id}
			use = append(use, u)
		}
	}
	return slices.Concat(steps, use, takeEffect(shows))
}

// takeEffect are the steps that make nginx use what is on disk, and present these certificates.
func takeEffect(shows []handshake) []plan.Step {
	return []plan.Step{
		{Kind: plan.TestConfig, Description: "test the configuration (nginx -t)", Undo: "nothing to undo"},
		{Kind: plan.Reload, Description: "tell nginx to load it", Undo: "load what was there before"},
		{Kind: plan.Verify, Description: "wait until new workers answer and no old one accepts", Undo: "nothing to undo", Spec: handshakeSpec(shows)},
	}
}

func summarise(changes []plan.Change) plan.Summary {
	var s plan.Summary
	for _, c := range changes {
		switch c.Action {
		case plan.Create:
			s.Create++
		case plan.Update:
			s.Update++
		case plan.Delete:
			s.Delete++
		default:
			s.Unchanged++
		}
		if c.Drifted {
			s.Drifted++
		}
	}
	return s
}

// invalid gives what the resources package refuses its code.
func invalid(err error) error {
	var conflict *resources.DomainConflict
	if errors.As(err, &conflict) {
		return failf(DomainConflict, err, "").with("domain", conflict.Domain).with("file", conflict.Second)
	}
	e := failf(InvalidInput, err, "")
	var field *resources.FieldError
	if errors.As(err, &field) {
		e.with("field", field.Field).with("constraint", field.Constraint)
	}
	return e
}
