package engine

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// shortLived is the lifetime below which a certificate is renewed at half of it: so ACME clients do, since a third of
// 160 hours would leave too little time for a CA that is down.
const shortLived = 10 * 24 * time.Hour

// renewAt returns when a certificate is due: when less is left than the smaller of before and a third of its lifetime, or
// half of one below ten days.
func renewAt(leaf *x509.Certificate, before time.Duration) time.Time {
	lifetime := leaf.NotAfter.Sub(leaf.NotBefore)
	fraction := lifetime / 3
	if lifetime < shortLived {
		fraction = lifetime / 2
	}
	return leaf.NotAfter.Add(-min(before, fraction))
}

func (e *Engine) due(l *lineage) bool {
	return l.leaf != nil && !e.opts.Clock().Before(renewAt(l.leaf, e.opts.RenewBefore))
}

// wantCertified adds to the wanted routes those whose certificate is asked for by name, and those whose last attempt
// failed and may be made again.
func (pl *planner) wantCertified() error {
	for _, name := range pl.req.Obtain {
		t := pl.s.sites[name]
		if t == nil || !t.ours || t.managed.Route.IsZero() {
			return notFound(name)
		}
		f := t.managed.Route.Fields()
		if !t.managed.Route.Enabled() {
			return failf(InvalidInput, nil, "route.%s is disabled, so it can't answer the CA's challenge: enable it first", name).
				with("field", "enabled").with("constraint", "must be true")
		}
		f.EnableSSL = new(true)
		r, err := resources.NewRoute(f)
		if err != nil {
			return invalid(err)
		}
		pl.wanted[name] = r
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
		t := pl.s.sites[name]
		if t == nil || !t.ours || t.managed.Drifted || t.managed.Route.IsZero() ||
			!pl.targeted("certificate."+name) || pl.e.opts.Clock().Before(a.Next) {
			continue
		}
		if r := t.managed.Route; r.Enabled() && r.EnableSSL() {
			pl.wanted[name] = r
			pl.certs.retries[name] = true
		}
	}
}

func (pl *planner) attempts() map[string]attempt { return pl.e.issuance().Attempts }

// planDue plans to renew the program's own certificates whose time has come, and to load what nginx has yet to load.
func (pl *planner) planDue() error {
	all, err := pl.lineages(resources.FilePrefix)
	if err != nil {
		return err
	}
	attempts := pl.attempts()
	for _, l := range all {
		if !l.managed || !pl.e.due(l) || !pl.targeted("certificate."+certificateName(l.name)) {
			continue
		}
		if a := attempts[l.name]; pl.e.opts.Clock().Before(a.Next) {
			pl.warnings = append(pl.warnings, fmt.Sprintf("certificate.%s is due, but failed %s and waits until %s", certificateName(l.name), times(a.Failures), a.Next.UTC().Format(time.RFC3339)))
			continue
		}
		pl.renew(l)
	}
	return nil
}

// renew plans to renew one certificate for the names that routes answer for. The names of those that went are dropped:
// their challenge would fail, and one that fails fails the whole certificate.
func (pl *planner) renew(l *lineage) {
	shows := pl.shownBy(l)
	spec := certificateSpec{Lineage: l.name, Email: pl.e.opts.Email, KeyType: "ecdsa"}
	for _, h := range shows {
		r := pl.s.sites[h.route].managed.Route
		spec.Domains = append(spec.Domains, r.Domains()...)
	}
	pl.keepAsWas(&spec, l)
	spec.Domains = unique(spec.Domains)
	if len(spec.Domains) == 0 {
		return
	}
	o := pl.obtaining(l, spec, "due: it is valid until "+l.leaf.NotAfter.UTC().Format("2006-01-02 15:04"))
	o.shows = append(o.shows, shows...)
}

// planUnloaded plans a reload where nginx serves other certificates than those on disk.
func (pl *planner) planUnloaded(ctx context.Context) {
	if !pl.req.Due || len(pl.req.Targets) > 0 {
		return
	}
	suspects := pl.e.renewedSince(pl.s.pidFile, pl.s.handshakes())
	for _, name := range pl.e.unloaded(ctx, suspects) {
		if slices.ContainsFunc(pl.obtain, func(o *obtaining) bool { return certificateName(o.lineage) == name }) {
			continue // it is replaced anyhow
		}
		pl.reload = true
		pl.changes = append(pl.changes, plan.Change{Address: "certificate." + name, Action: plan.Update, Reason: "renewed on disk, and not loaded yet"})
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
