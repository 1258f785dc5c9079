package engine

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/adopt"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// Adopt asks for a route to be made of an existing site: one that was written by hand, or a managed file that was edited
// by hand. The route does what the site does, all that it includes counted in. Where a route can't do that, the error has
// the code AdoptionRefused and every [AdoptionReason]; [Adoption] has what may be given up.
func Adopt(file, name string) Request {
	return Request{Operation: "adopt", KeepUnlisted: true, Adopt: &Adoption{File: file, Name: name}}
}

// An adoption is what is known of a site that becomes a route.
type adoption struct {
	site    *adopt.Site
	route   resources.Route
	file    string // the site's own
	content *plan.State
	links   map[string]*plan.State // that nginx reaches the file by
	remove  bool                   // the file goes: it is in nginx's directories, and not the route's own
	// first: the site is some socket's default server, so it must go before the program's own takes its place.
	first bool
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
	if err := pl.understand(a); err != nil {
		return err
	}
	var ok bool
	if a.route, ok = a.site.Route(pl.req.Adopt.Name, pl.routeAt(a), len(a.links) > 0 || pl.included(a.file)); !ok {
		return a.verdict(false)
	}
	pl.noteDefaultPlace(a)
	pl.dropForeign(a)
	pl.adopted = a
	return nil
}

// understand reads the site with all that it includes, and what it inherits.
func (pl *planner) understand(a *adoption) (err error) {
	f := adopt.File{Path: a.file, Content: a.content.Content, Links: func(path string) bool { return a.links[path] != nil }}
	if t := pl.siteAt(a.file); t != nil {
		f.Pending = t.route().EnableSSL() && t.managed.Certificate == nil
		f.Damaged = t.damaged != nil && !errors.Is(t.damaged, resources.ErrUnmanaged)
	}
	a.site, err = adopt.Read(f, adopt.Host{
		Observer: pl.s.obs, Dir: filepath.Dir(pl.e.nginx.ConfPath(pl.s.build)), Settings: pl.s.settings, Configuration: pl.s.configuration,
	})
	if err != nil {
		return notUnderstood(a.file, err.Error())
	}
	return nil
}

// siteAt returns the managed site of a file.
func (pl *planner) siteAt(file string) *site {
	for _, t := range pl.s.sites {
		if t.path == file {
			return t
		}
	}
	return nil
}

// routeAt returns the route that an edited file was made from; zero if it is none.
func (pl *planner) routeAt(a *adoption) resources.Route {
	if t := pl.siteAt(a.file); t != nil {
		return t.route()
	}
	return resources.Route{}
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

// noteDefaultPlace tells of a site that answers names that are nobody's only because it is the first on its port.
func (pl *planner) noteDefaultPlace(a *adoption) {
	if t := pl.s.sites[sharedDefault.Address()]; t != nil && t.ours && t.enabled {
		return
	}
	type socket struct {
		address string
		port    int
	}
	first, flagged := map[socket]resources.Site{}, map[socket]bool{}
	for _, s := range pl.s.foreign {
		for _, l := range s.Listens {
			at := socket{l.Address, l.Port}
			if _, taken := first[at]; !taken {
				first[at] = s
			}
			flagged[at] = flagged[at] || l.Default
		}
	}
	for at, s := range first {
		if !flagged[at] && (s.File == a.file || a.links[s.File] != nil) {
			a.site.NoteFirst(s.Line, at.port)
		}
	}
}

// finishAdoption removes the site, once its route is planned, and compares the two.
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
	if err := pl.compareAdopted(a); err != nil {
		return err
	}
	pl.warnings = append(pl.warnings, a.site.Warnings()...)
	return a.verdict(pl.req.Adopt.AcceptLosses)
}

// compareAdopted compares the site with the route as it is planned.
func (pl *planner) compareAdopted(a *adoption) error {
	cert, err := pl.adoptedCertificate(a)
	if err != nil {
		return err
	}
	text, err := a.route.Render(pl.s.settings, cert)
	if err != nil {
		return Invalid(err)
	}
	rendered, err := nginxconf.Parse("", text)
	if err != nil {
		return failf(Internal, err, "read what was rendered")
	}
	a.site.CompareWith(rendered, cert, func(fullchain string) bool {
		l, err := pl.lineage(lineageAt(fullchain))
		return err == nil && (l.Managed || !l.Known)
	})
	return nil
}

// adoptedCertificate is what the route will be served with, or would be once it is enabled.
func (pl *planner) adoptedCertificate(a *adoption) (*resources.CertificateFiles, error) {
	if !a.route.EnableSSL() {
		return nil, nil
	}
	own := pl.place(a.route.Address())
	if a.route.Enabled() {
		content := own.file.Content
		for _, s := range pl.stepsAt(pl.depth(own.address)).writes {
			if s.Path == own.path {
				content = s.After.Content
			}
		}
		m, err := resources.ParseManaged(content)
		if err != nil {
			return nil, failf(Internal, err, "read what was planned")
		}
		return m.Certificate, nil
	}
	l, err := pl.lineage(a.route.CertificateName())
	if err == nil && (!l.Valid(pl.e.opts.Clock()) || !l.Covers(a.route.Domains())) {
		l, err = pl.fittingLineage(a.route.Domains(), l)
	}
	if err != nil || l == nil {
		return nil, err
	}
	return &l.Files, nil
}
