package engine

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
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
	suspects := pl.e.renewedSince(pl.s.paths, pl.s.handshakes())
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

// servedInterval is how often Maintain looks at what nginx serves.
const servedInterval = time.Minute

// Maintain keeps certificates valid and served until ctx ends: it renews what is due, one certificate at a time, tries
// again what failed when its time has come, and has nginx load what somebody else renewed. It returns nil when ctx ends;
// what fails meanwhile is logged, remembered, and seen in [Engine.Certificates].
func (e *Engine) Maintain(ctx context.Context) error {
	// Programs that start together, after a power cut say, should not all ask the CA together.
	look := time.NewTimer(rand.N(min(e.opts.RenewCheckInterval, 5*time.Minute)))
	defer look.Stop()
	served := time.NewTicker(min(servedInterval, e.opts.RenewCheckInterval))
	defer served.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if e.renewAll(ctx) {
				look.Reset(e.nextLook())
			} else {
				look.Reset(min(servedInterval, e.opts.RenewCheckInterval)) // somebody else was at work
			}
		case <-served.C:
			e.healServed(ctx)
		}
	}
}

// nextLook is how long until the next look for certificates that are due: the interval, a little more or less, or the
// time of the next retry.
func (e *Engine) nextLook() time.Duration {
	interval := e.opts.RenewCheckInterval
	wait := interval - interval/10 + rand.N(interval/5+1)
	now := e.opts.Clock()
	for _, a := range e.issuance().Attempts {
		// What is past and still there has no route any more.
		if retry := a.Next.Sub(now); retry > 0 && retry < wait {
			wait = retry
		}
	}
	return wait
}

// renewAll renews what is due, each certificate in an apply of its own, so that others can make their changes between two
// and one that fails holds up none. It reports whether it came to all of them.
func (e *Engine) renewAll(ctx context.Context) (whole bool) {
	ctx = WithActor(ctx, "renewal")
	p, err := e.Plan(ctx, RenewDue())
	if err != nil {
		e.log.ErrorContext(ctx, "certificates that are due could not be looked for", "error", err)
		return true
	}
	whole = true
	for _, address := range certificatesToGet(p) {
		if ctx.Err() != nil {
			return true
		}
		req := RenewDue()
		req.Targets = []string{address}
		if _, err := e.Do(ctx, req); err != nil {
			e.log.ErrorContext(ctx, "a certificate could not be obtained", "address", address, "error_code", CodeOf(err), "error", err)
			whole = whole && CodeOf(err) != Locked
			continue
		}
		e.log.InfoContext(ctx, "a certificate was obtained", "address", address)
	}
	return whole
}

// certificatesToGet are the addresses of the certificates that a plan obtains.
func certificatesToGet(p *plan.Plan) []string {
	addresses := map[string]bool{}
	for _, s := range p.Steps {
		if traitsOf(s).obtains {
			addresses[s.Address] = true
		}
	}
	return slices.Sorted(maps.Keys(addresses))
}

// healServed has nginx load the certificates that it has yet to load.
func (e *Engine) healServed(ctx context.Context) {
	ctx = WithActor(ctx, "renewal")
	stale, err := e.CheckServed(ctx)
	if err != nil || len(stale) == 0 {
		return // where nginx can't be looked at, health says why
	}
	e.log.WarnContext(ctx, "nginx serves other certificates than those on disk: it is reloaded", "certificates", strings.Join(stale, " "))
	if _, err := e.Do(ctx, Request{Operation: "reload", KeepUnlisted: true, Reload: true}); err != nil {
		e.log.ErrorContext(ctx, "nginx could not be reloaded", "error_code", CodeOf(err), "error", err)
		return
	}
	if _, err := e.CheckServed(ctx); err != nil {
		e.log.WarnContext(ctx, "what nginx serves could not be checked", "error", err)
	}
}
