package engine

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

const (
	// servedInterval is how often Maintain looks at what nginx serves.
	servedInterval = time.Minute
	// firstLook is how long at most Maintain waits before it looks for what is due: it may have been down for long.
	firstLook = 5 * time.Minute
)

// Maintain keeps certificates valid and served until ctx ends: it renews what is due, one certificate at a time, tries
// again what failed when its time has come, deletes what nothing has used for as long as the history reaches back, and has nginx
// load what somebody else renewed. How often it looks for what is
// due is [Options.RenewCheckInterval]; what nginx serves is looked at every minute, or at that interval where it is
// shorter. What fails is remembered, tried again later, and seen in [Engine.Certificates].
//
// Each change is made by do: one call at a time, from the goroutine that Maintain runs in, in a context that ends with ctx
// and names the actor "renewal". An error of do is do's own to log. Without it, changes are made by [Engine.Do], and
// errors go to the engine's log.
func (e *Engine) Maintain(ctx context.Context, do func(context.Context, Request) (*Result, error)) {
	m := maintenance{e, do}
	if do == nil {
		m.do = e.doLogged
	}
	m.run(WithActor(ctx, "renewal"))
}

// doLogged is Do for whoever does not look at its error.
func (e *Engine) doLogged(ctx context.Context, req Request) (*Result, error) {
	result, err := e.Do(ctx, req)
	if err != nil {
		e.log.ErrorContext(ctx, "certificates could not be maintained", "operation", req.Operation, "addresses", strings.Join(req.Targets, " "),
			"error_code", CodeOf(err), "error", err)
	}
	return result, err
}

// A maintenance is one run of [Engine.Maintain].
type maintenance struct {
	*Engine
	do func(context.Context, Request) (*Result, error)
}

func (m maintenance) run(ctx context.Context) {
	interval := m.opts.ACME.RenewInterval
	// Programs that start together, after a power cut say, should not all ask the CA together.
	look := time.NewTimer(rand.N(min(interval, firstLook)))
	defer look.Stop()
	served := time.NewTicker(min(servedInterval, interval))
	defer served.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			if m.renewAll(ctx) {
				look.Reset(m.nextLook())
			} else {
				look.Reset(min(servedInterval, interval)) // somebody else was at work
			}
		case <-served.C:
			m.healServed(ctx)
		}
	}
}

// nextLook is how long until the next look for certificates that are due: the interval, a little more or less, or the
// time of the next retry.
func (m maintenance) nextLook() time.Duration {
	interval := m.opts.ACME.RenewInterval
	wait := interval - interval/10 + rand.N(interval/5+1)
	now := m.opts.Clock()
	for _, a := range m.memory.Attempts() {
		// What is past and still there has no route any more.
		if retry := a.Next.Sub(now); retry > 0 && retry < wait {
			wait = retry
		}
	}
	return wait
}

// renewAll renews what is due and deletes what has become of no use, each certificate in an apply of its own, so that others can make their changes between two
// and one that fails holds up none. It reports whether it came to all of them.
func (m maintenance) renewAll(ctx context.Context) (whole bool) {
	p, err := m.Plan(ctx, RenewDue())
	if ctx.Err() != nil {
		return true
	}
	if err != nil {
		m.log.ErrorContext(ctx, "certificates that are due could not be looked for", "error_code", CodeOf(err), "error", err)
		return true
	}
	whole = true
	for _, address := range certificatesToTend(p) {
		if ctx.Err() != nil {
			return true
		}
		req := RenewDue()
		req.Targets = []string{address}
		_, err := m.do(ctx, req)
		whole = whole && (err == nil || CodeOf(err) != Locked)
	}
	return whole
}

// certificatesToTend are the addresses of the certificates that a plan obtains or deletes.
func certificatesToTend(p *plan.Plan) []string {
	addresses := map[string]bool{}
	for _, s := range p.Steps {
		if kind := traitsOf(s.Kind); kind.obtains || kind.final {
			addresses[s.Address] = true
		}
	}
	return slices.Sorted(maps.Keys(addresses))
}

// healServed has nginx load the certificates that it has yet to load.
func (m maintenance) healServed(ctx context.Context) {
	stale, err := m.CheckServed(ctx)
	if err != nil || len(stale) == 0 || ctx.Err() != nil {
		return // where nginx can't be looked at, health says why; and a look that was broken off has seen nothing
	}
	m.log.WarnContext(ctx, "nginx serves other certificates than those on disk: it is reloaded", "certificates", strings.Join(stale, " "))
	if _, err := m.do(ctx, Request{Operation: "reload", KeepUnlisted: true, Reload: true}); err != nil {
		return
	}
	if _, err := m.CheckServed(ctx); err != nil { // so that Certificates says what is served now
		m.log.WarnContext(ctx, "what nginx serves could not be checked", "error_code", CodeOf(err), "error", err)
	}
}
