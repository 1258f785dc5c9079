package engine

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// planUnused plans to delete the program's own certificates that nothing has used or asked for as long as the history
// reaches back: until then, a rollback may bring a route back that needs one. A request that leaves alone what it does not name
// only looks at the certificates of the routes it deletes; what is due includes those whose time has come.
func (pl *planner) planUnused() error {
	remembered := pl.e.memory.Unused()
	candidates, err := pl.unusedCandidates(remembered)
	if errors.Is(err, fs.ErrPermission) {
		// A user who may read nginx's configuration, but not certbot's folders, still gets the rest of the plan.
		pl.warnings = append(pl.warnings, "certificates that nothing uses any more could not be looked for: "+err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	for _, l := range candidates {
		if !l.Managed {
			continue
		}
		since, known := remembered[l.Name]
		switch {
		case pl.isNeeded(l):
			pl.certs.needed[l.Name] = true
		case !known:
			pl.certs.unused = append(pl.certs.unused, l.Name)
		case pl.e.opts.Clock().Sub(since) > pl.e.opts.State.Keep:
			pl.deleteUnused(l, since)
		}
	}
	return nil
}

// deleteUnused plans to delete one certificate, if the request is about it.
func (pl *planner) deleteUnused(l *certificate.Lineage, since time.Time) {
	name := certificateName(l.Name)
	address := certificateAddress(name)
	if !pl.targeted(address) && !pl.targeted(routeAddress(name)) {
		return
	}
	step := certificateStep(plan.DeleteCertificate, address, certificateSpec{Lineage: l.Name})
	step.Description, step.Undo = "delete the certificate "+l.Name+", which nothing uses any more", "none: it is deleted once everything else is done and final"
	pl.final = append(pl.final, step)
	pl.changes = append(pl.changes, plan.Change{Address: address, Action: plan.Delete, Reason: "nothing has used it since " + since.UTC().Format("2006-01-02 15:04")})
}

func (pl *planner) unusedCandidates(remembered map[string]time.Time) ([]*certificate.Lineage, error) {
	if !pl.req.KeepUnlisted {
		return pl.lineages(resources.FilePrefix)
	}
	var names []string
	for address := range pl.doomed {
		if kindName(address) == resources.RouteKind {
			names = append(names, resources.FilePrefix+nameOf(address))
		}
	}
	if pl.req.Due {
		// Not all: one that is listed and waits for its route is known to nobody but the request that lists it.
		names = slices.AppendSeq(names, maps.Keys(remembered))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if err := pl.look(names); err != nil {
		return nil, err
	}
	list := make([]*certificate.Lineage, len(names))
	for i, name := range names {
		list[i] = pl.certs.known[name]
	}
	return list, nil
}

// noteUses remembers which certificates an apply has left without use, and forgets that of those that are used again.
func (e *Engine) noteUses(ctx context.Context, p *planned) {
	again := slices.DeleteFunc(slices.Collect(maps.Keys(e.memory.Unused())), func(lineage string) bool {
		return !p.certs.used[lineage] && !p.certs.needed[lineage]
	})
	if err := e.memory.Uses(e.opts.Clock(), p.certs.unused, again); err != nil {
		e.log.WarnContext(ctx, "which certificates are used could not be remembered", "error", err)
	}
}

// isNeeded reports whether a route uses the certificate afterwards or implies it, the request lists it, or another site of
// the host uses it.
func (pl *planner) isNeeded(l *certificate.Lineage) bool {
	if pl.certs.used[l.Name] || pl.s.foreignUse(l.Name) != "" {
		return true
	}
	if r, ok := pl.routeAfterwards(certificateName(l.Name)); ok && r.EnableSSL() {
		return true
	}
	for _, t := range pl.s.sites {
		if pl.isLeft(t) && t.managed.Certificate != nil && *t.managed.Certificate == l.Files {
			return true
		}
	}
	return slices.ContainsFunc(pl.req.Certificates, func(c resources.Certificate) bool { return c.LineageName() == l.Name })
}

// deleteCertificates does the steps delete_certificate. It comes after the apply is done and final, since nothing could
// bring a deleted certificate back. What fails is seen again by the next plan of the whole state.
func (e *Engine) deleteCertificates(ctx context.Context, a *application) error {
	var errs []error
	for i, step := range a.steps {
		if traitsOf(step.Kind).final {
			errs = append(errs, a.runStep(ctx, i))
		}
	}
	return errors.Join(errs...)
}

// deleteCertificate does the step delete_certificate.
func (e *Engine) deleteCertificate(ctx context.Context, step plan.Step) error {
	spec, err := readCertificateSpec(step)
	if err != nil {
		return err
	}
	// Somebody may have begun to use it since the plan was made.
	s, err := e.survey(ctx)
	if err != nil {
		return err
	}
	if file := cmp.Or(s.managedUse(spec.Lineage), s.foreignUse(spec.Lineage)); file != "" {
		return failf(ConfigDeleteFailed, nil, "certificate %s is kept, since %s uses it", spec.Lineage, file)
	}
	failure := e.issuer.Delete(ctx, spec.Lineage)
	e.warnForgotten(ctx, spec.Lineage, e.memory.Deleted(step.Kind, spec.Lineage, e.opts.Clock(), failure))
	if failure != nil {
		return notDeleted(spec.Lineage, failure)
	}
	return nil
}

// textOf returns the texts of errors that were joined.
func textOf(err error) []string {
	var texts []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			texts = append(texts, e.Error())
		}
	}
	return texts
}

// certificatesIn returns the files that a configuration names as certificates and keys, with the file that names each.
func certificatesIn(tree []nginxconf.Directive) map[string]string {
	found := map[string]string{}
	var walk func([]nginxconf.Directive)
	walk = func(ds []nginxconf.Directive) {
		for _, d := range ds {
			if strings.Contains(d.Name, "certificate") && len(d.Args) > 0 {
				found[d.Args[0]] = d.File
			}
			walk(d.Block)
		}
	}
	walk(tree)
	return found
}

// foreignUse returns the file of a site that is not managed and uses a lineage, or "". It goes by the lineage's name in
// the path, since a link may lead there from anywhere.
func (s *survey) foreignUse(lineage string) string {
	var files []string
	for path, file := range s.certificates {
		if strings.Contains(filepath.Clean(path), "/"+lineage+"/") {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return ""
	}
	return slices.Min(files)
}

// managedUse returns the file of a managed site that uses a lineage, or "".
func (s *survey) managedUse(lineage string) string {
	for _, t := range s.sites {
		if c := t.managed.Certificate; t.ours && c != nil && lineageAt(c.Fullchain) == lineage {
			return t.path
		}
	}
	return ""
}
