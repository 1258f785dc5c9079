package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// wantCertified adds to the wanted routes those whose certificate is asked for by name, and those whose last attempt
// failed and may be made again.
func wantCertified(pl *planner) error {
	for _, name := range pl.req.Obtain {
		r, ok := pl.routeNow(name)
		if !ok {
			return notFound(name)
		}
		f := r.Fields()
		if !r.Enabled() {
			return failf(InvalidInput, nil, "route.%s is disabled, so it can't answer the CA's challenge: enable it first", name).
				with("field", "enabled").with("constraint", "must be true")
		}
		f.EnableSSL = new(true)
		r, err := resources.NewRoute(f)
		if err != nil {
			return Invalid(err)
		}
		pl.wanted[r.Address()] = route{r}
	}
	if pl.req.Due {
		pl.wantRetries()
	}
	return nil
}

// wantRetries adds the routes that wait for a certificate that could not be had, once their time has come. A certificate
// that somebody asked for in vain is still wanted. A route that was edited by hand is left alone: to mend that, and lose
// the edit, is for a person to decide.
func (pl *planner) wantRetries() {
	for lineage, a := range pl.attempts() {
		name := certificateName(lineage)
		r, ok := pl.routeNow(name)
		if !ok || pl.s.sites[r.Address()].managed.Drifted || !pl.targeted(certificateAddress(name)) || pl.e.opts.Clock().Before(a.Next) {
			continue
		}
		if r.Enabled() && r.EnableSSL() {
			pl.wanted[r.Address()] = route{r}
			pl.certs.retries[name] = true
		}
	}
}

func (pl *planner) attempts() map[string]acme.Attempt { return pl.e.memory.Attempts() }

// planDue plans to renew the program's own certificates whose time has come, and those that are from another CA than the one
// that is set.
func (pl *planner) planDue() error {
	all, err := pl.lineages(resources.FilePrefix)
	if err != nil {
		return err
	}
	attempts := pl.attempts()
	for _, l := range all {
		why := pl.whyDue(l)
		if why == "" || !pl.targeted(certificateAddress(certificateName(l.Name))) {
			continue
		}
		if a := attempts[l.Name]; pl.e.opts.Clock().Before(a.Next) {
			pl.warnings = append(pl.warnings, fmt.Sprintf("certificate.%s is due, but failed %s and waits until %s", certificateName(l.Name), times(a.Failures), a.Next.UTC().Format(time.RFC3339)))
			continue
		}
		pl.renew(l, why)
	}
	return nil
}

// whyDue says why a certificate of the program's own is due; "" where it is not.
func (pl *planner) whyDue(l *certificate.Lineage) string {
	switch {
	case l.Managed && pl.e.due(l):
		return "due: it is valid until " + l.Leaf.NotAfter.UTC().Format("2006-01-02 15:04")
	case l.Leaf != nil && pl.e.otherCA(l):
		return pl.caChanges(l)
	}
	return ""
}

// renew plans to renew one certificate for the names that routes answer for. The names of those that went are dropped:
// their challenge would fail, and one that fails fails the whole certificate.
func (pl *planner) renew(l *certificate.Lineage, why string) {
	shows := pl.shownBy(l)
	spec := certificateSpec{Lineage: l.Name, Email: pl.e.opts.ACME.Email, KeyType: "ecdsa"}
	for _, h := range shows {
		r := pl.s.sites[h.route].route()
		spec.Domains = append(spec.Domains, r.Domains()...)
	}
	pl.keepAsWas(&spec, l)
	spec.Domains = unique(spec.Domains)
	if len(spec.Domains) == 0 {
		return
	}
	o := pl.obtaining(l, spec, why)
	o.shows = append(o.shows, shows...)
}

// planUnloaded plans a reload where nginx serves other certificates than those on disk.
func (pl *planner) planUnloaded(ctx context.Context) {
	if !pl.req.Due || len(pl.req.Targets) > 0 {
		return
	}
	suspects := pl.e.renewedSince(pl.s.paths, handshakesOf(pl.s.sites))
	for _, name := range pl.e.unloaded(ctx, suspects) {
		if slices.ContainsFunc(pl.obtain, func(o *obtaining) bool { return certificateName(o.lineage) == name }) {
			continue // it is replaced anyhow
		}
		pl.reload = true
		pl.changes = append(pl.changes, plan.Change{Address: certificateAddress(name), Action: plan.Update, Reason: "renewed on disk, and not loaded yet"})
		for _, h := range suspects {
			if h.certificate() == name {
				pl.certs.shows = append(pl.certs.shows, h)
			}
		}
	}
}

// unique drops repetitions and keeps the order.
func unique(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		again := seen[s]
		seen[s] = true
		return again
	})
}
