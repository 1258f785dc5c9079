package engine

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// Adopt asks for a route to be made of an existing site: one that was written by hand, or a managed file that was edited
// by hand. What is understood of the site becomes the route, the site's own file and links go, and the plan's warnings
// name every directive that would be lost. A site that is not understood is refused, with the reason.
func Adopt(file, name string) Request {
	return Request{Operation: "adopt", KeepUnlisted: true, Adopt: &Adoption{File: file, Name: name}}
}

// An adoption is what is known of a site that becomes a route.
type adoption struct {
	route   resources.Route
	file    string // the site's own
	content *plan.State
	links   map[string]*plan.State // that nginx reaches the file by
	remove  bool                   // the file goes: it is in nginx's directories, and not the route's own
	// first: the site is some socket's default server, so it must go before the program's own takes its place.
	first bool
	tree  []nginxconf.Directive
}

// planAdoption reads the site and makes the route of it.
func (pl *planner) planAdoption() error {
	if pl.req.Adopt == nil {
		return nil
	}
	a := &adoption{links: map[string]*plan.State{}}
	if err := pl.findSite(a, pl.req.Adopt.File); err != nil {
		return err
	}
	if err := pl.checkAdoptable(a, pl.req.Adopt.Name); err != nil {
		return err
	}
	tree, err := nginxconf.Parse(a.file, a.content.Content)
	if err != nil {
		return notUnderstood(a.file, err.Error())
	}
	a.tree = tree
	u := &understanding{file: a.file, settings: pl.s.settings}
	u.read(tree)
	fields, err := u.fields(pl.req.Adopt.Name)
	if err != nil {
		return err
	}
	fields.Enabled = new(len(a.links) > 0 || pl.included(a.file))
	if a.route, err = resources.NewRoute(fields); err != nil {
		return Invalid(err)
	}
	pl.dropForeign(a)
	pl.adopted = a
	return nil
}

func notUnderstood(file, why string) *Error {
	return failf(InvalidInput, nil, "%s can't be adopted: %s", file, why).with("file", file).with("reason", why)
}

// findSite finds the site's file and every link to it in sites-enabled.
func (pl *planner) findSite(a *adoption, path string) error {
	if !filepath.IsAbs(path) {
		return failf(InvalidInput, nil, "the file to adopt must be named by its whole path, not %q", path).with("field", "file")
	}
	a.file = filepath.Clean(path)
	state, err := pl.s.obs.State(a.file)
	if err == nil && state.IsLink() {
		target := state.Target
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(a.file), target)
		}
		a.links[a.file], a.file = state, filepath.Clean(target)
		state, err = pl.s.obs.State(a.file)
	}
	if errors.Is(err, host.ErrOther) {
		return failf(InvalidInput, err, "only a file can be adopted")
	}
	if err != nil {
		return failf(ConfigReadFailed, err, "read the site to adopt")
	}
	if !state.Exists || state.IsLink() {
		return failf(NotFound, nil, "there is no site at %s", path).with("file", path)
	}
	a.content = state
	return pl.findLinks(a)
}

func (pl *planner) findLinks(a *adoption) error {
	dir := pl.e.opts.Nginx.SitesEnabled
	names, err := pl.s.obs.ReadDir(dir)
	if err != nil {
		return failf(ConfigReadFailed, err, "read the directory")
	}
	for _, name := range names {
		link := filepath.Join(dir, name)
		state, err := pl.s.obs.State(link)
		if err == nil && state.IsLink() && leadsTo(link, state.Target, a.file) {
			a.links[link] = state
		}
	}
	return nil
}

// included reports whether nginx reads this very path.
func (pl *planner) included(path string) bool {
	return slices.ContainsFunc(pl.s.foreign, func(s resources.Site) bool { return s.File == path })
}

// checkAdoptable refuses what is not a site of this nginx, or is a route already.
func (pl *planner) checkAdoptable(a *adoption, name string) error {
	known := pl.included(a.file) || len(a.links) > 0 || sameDir(filepath.Dir(a.file), pl.e.opts.Nginx.SitesAvailable)
	if !known {
		return notUnderstood(a.file, "it is no site of this nginx: it is neither in "+pl.e.opts.Nginx.SitesAvailable+" nor included")
	}
	own := pl.e.newSite(routeAddress(strings.ToLower(name)))
	if t := pl.s.sites[own.address]; t != nil && t.path != a.file && (t.file.Exists || t.linkState.Exists) {
		return failf(UnmanagedFile, nil, "the name %s is taken, by %s: choose another", nameOf(own.address), t.path).with("file", t.path)
	}
	for _, t := range pl.s.sites {
		if t.path != a.file {
			continue
		}
		if t.address != own.address {
			return notUnderstood(a.file, fmt.Sprintf("its name makes it the file of %s: adopt it as that", t.address))
		}
		if !t.ours {
			t.ours, t.damaged = true, resources.ErrUnmanaged // it is asked for by name
		}
	}
	a.remove = a.file != own.path && (pl.included(a.file) || sameDir(filepath.Dir(a.file), pl.e.opts.Nginx.SitesAvailable))
	return nil
}

// dropForeign makes the planner look at the host as it is without the site.
func (pl *planner) dropForeign(a *adoption) {
	pl.s.foreign = slices.DeleteFunc(slices.Clone(pl.s.foreign), func(s resources.Site) bool {
		if s.File != a.file && a.links[s.File] == nil {
			return false
		}
		a.first = a.first || slices.ContainsFunc(s.Listens, func(l resources.Listen) bool { return l.Default })
		return true
	})
}

// finishAdoption removes the site, once its route is planned, and says what of it is lost.
func (pl *planner) finishAdoption() error {
	a := pl.adopted
	if a == nil {
		return nil
	}
	var gone sitesSteps
	address := a.route.Address()
	own := pl.e.newSite(address)
	for _, link := range slices.Sorted(maps.Keys(a.links)) {
		if link != own.link {
			gone.unlinks = append(gone.unlinks, pathStep(address, link, a.links[link], &plan.State{}))
		}
	}
	if a.remove {
		gone.removals = append(gone.removals, pathStep(address, a.file, a.content, &plan.State{}))
	}
	pl.reload = pl.reload || len(gone.unlinks) > 0 || pl.included(a.file)
	if a.first {
		pl.own = slices.Concat(pl.own, gone.unlinks, gone.removals)
	} else {
		s := pl.stepsAt(pl.depth(address))
		s.unlinks = append(s.unlinks, gone.unlinks...)
		s.removals = append(s.removals, gone.removals...)
	}
	for i, c := range pl.changes {
		if c.Address == address && c.Action != plan.Unchanged {
			pl.changes[i].Reason = "adopted from " + a.file
		}
	}
	lost, err := a.lost(pl.s.settings)
	pl.warnings = append(pl.warnings, lost...)
	return err
}

// lost describes each directive of the site that its route will not have.
func (a *adoption) lost(s resources.Settings) ([]string, error) {
	kept := map[string]bool{}
	for _, cert := range []*resources.CertificateFiles{nil, {Fullchain: "/cert.pem", PrivateKey: "/key.pem"}} {
		text, err := a.route.Render(s, cert)
		if err != nil {
			return nil, Invalid(err)
		}
		tree, err := nginxconf.Parse("", text)
		if err != nil {
			return nil, failf(Internal, err, "read what was rendered")
		}
		walk(tree, func(d nginxconf.Directive, _ []nginxconf.Directive) { kept[textOfDirective(d)] = true })
	}
	var lost []string
	walk(a.tree, func(d nginxconf.Directive, within []nginxconf.Directive) {
		if !kept[textOfDirective(d)] && !covered(d, within) {
			lost = append(lost, fmt.Sprintf("%s:%d: not kept: %s", d.File, d.Line, textOfDirective(d)))
		}
	})
	return lost, nil
}

func textOfDirective(d nginxconf.Directive) string {
	text := strings.Join(append([]string{d.Name}, d.Args...), " ")
	if d.Block != nil {
		text += " { … }"
	}
	return text
}
