package engine

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Changes that come while another is being made are gathered, and made together with one test and one reload of nginx.
// A change that comes alone is made at once: it never waits for company.

// A change is a request that waits to be done.
type change struct {
	ctx context.Context
	req Request
	// sites are the addresses of those that the request is about, if it is about nothing else: then it can go with others.
	sites  []string
	result *Result
	err    error
	told   []string // what its own plan warns of, and that of all together may not
	done   chan struct{}
	ended  bool // belongs to whoever drains the queue
}

// end gives the change its outcome. It has only one: an end after the first changes nothing.
func (c *change) end(r *Result, err error) {
	if c.ended {
		return
	}
	c.result, c.err, c.ended = r, err, true
	close(c.done)
}

func endAll(batch []*change, err error) {
	for _, c := range batch {
		c.end(nil, err)
	}
}

// Do plans and applies in one go, as the only writer. Requests that only put and delete routes may share their test and
// reload with others of this process that come at the same time; each still gets its own result, and one that fails
// takes none of the others with it.
func (e *Engine) Do(ctx context.Context, req Request) (*Result, error) {
	c := &change{ctx: ctx, req: req, done: make(chan struct{})}
	// Here, where nothing is locked: resources of the caller's own say their addresses.
	err := guarded(e.log, "a resource", func() error { c.sites = req.sites(); return nil })
	if err != nil {
		return nil, err
	}
	if c.ctx, err = e.askAhead(ctx, req.Routes); err != nil {
		return nil, err
	}
	e.mu.Lock()
	e.queue = append(e.queue, c)
	if !e.draining {
		e.draining = true
		go e.drain()
	}
	e.mu.Unlock()
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
	}
	if e.withdraw(c) {
		return nil, failf(Locked, context.Cause(ctx), "gave up waiting for the changes before this one to end")
	}
	<-c.done // it runs: it sees the end of ctx by itself, and either finishes or is undone
	return c.result, c.err
}

func (e *Engine) withdraw(c *change) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.queue, c)
	if i >= 0 {
		e.queue = slices.Delete(e.queue, i, i+1)
	}
	return i >= 0
}

// drain does what is queued, as much of it together as can be, until nothing is.
func (e *Engine) drain() {
	for {
		e.mu.Lock()
		batch := nextBatch(e.queue)
		e.queue = slices.DeleteFunc(e.queue, func(c *change) bool { return slices.Contains(batch, c) })
		if len(batch) == 0 {
			e.draining = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		// Every change is ended, and those behind it get their turn, whatever happens.
		endAll(batch, guarded(e.log, "a change", func() error { e.doBatch(batch); return nil }))
	}
}

func (e *Engine) doBatch(batch []*change) {
	if len(batch) > 1 {
		e.doTogether(batch)
		return
	}
	batch[0].end(e.doAlone(batch[0].ctx, batch[0].req))
}

// maxBatch bounds how many changes go together, so that the first of them need not wait for ever longer plans.
const maxBatch = 256

// nextBatch takes from the head of the queue what can go together: no name twice, so that two changes of one route
// happen one after the other.
func nextBatch(queue []*change) []*change {
	var batch []*change
	taken := map[string]bool{}
	for _, c := range queue {
		if len(c.sites) == 0 {
			if len(batch) == 0 {
				return []*change{c}
			}
			break // keeps its place: nothing behind it overtakes it
		}
		if slices.ContainsFunc(c.sites, func(address string) bool { return taken[address] }) || len(batch) == maxBatch {
			break
		}
		for _, address := range c.sites {
			taken[address] = true
		}
		batch = append(batch, c)
	}
	return batch
}

// sites returns the addresses of the sites a request is about, if it is about nothing else.
func (r Request) sites() []string {
	if !r.KeepUnlisted || len(r.Targets)+len(r.Renew)+len(r.Certificates) > 0 || r.Issue || r.Rollback != "" || r.Adopt != nil ||
		r.RequiredVersion != "" || r.NginxVersion != "" {
		return nil
	}
	addresses := slices.Clone(r.Delete)
	for _, wanted := range r.resources() {
		if _, isSite := wanted.(Site); !isSite {
			return nil
		}
		addresses = append(addresses, wanted.Address())
	}
	return addresses
}

// doAlone does one request.
func (e *Engine) doAlone(ctx context.Context, req Request) (*Result, error) {
	var result *Result
	err := e.exclusively(ctx, req.Operation, func(ctx context.Context) error {
		mended, err := e.mendingFirst(ctx, func() (err error) {
			result, err = e.doOnce(ctx, req)
			return err
		})
		if result != nil {
			result.Warnings = append(mended, result.Warnings...)
		}
		return err
	})
	return result, err
}

func (e *Engine) doOnce(ctx context.Context, req Request) (*Result, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return nil, err
	}
	p, err := e.planFrom(ctx, req, s)
	if err != nil {
		return nil, err
	}
	return e.execute(ctx, p, s)
}

// doTogether does several requests, and ends every one of them.
func (e *Engine) doTogether(batch []*change) {
	ctx := sharedContext(e, batch)
	err := e.exclusively(ctx, "put", func(ctx context.Context) error {
		for len(batch) > 0 {
			var err error
			if batch, err = e.tryTogether(ctx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		endAll(batch, err)
	}
}

// tryTogether makes one attempt, and returns the changes that have to be tried again without those that made it fail.
func (e *Engine) tryTogether(ctx context.Context, batch []*change) ([]*change, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return batch, err
	}
	batch = e.sift(ctx, batch, s)
	if len(batch) == 0 {
		return nil, nil
	}
	whole := merge(batch)
	p, err := e.planFrom(ctx, whole, s)
	if err != nil {
		return e.separate(ctx, batch, err), nil
	}
	result, err := e.execute(ctx, p, s)
	if isDamage(err) {
		if mended, merr := e.mendNow(ctx); merr == nil && len(mended) > 0 {
			return batch, nil
		}
	}
	if err != nil {
		return e.separate(ctx, batch, err), nil
	}
	for _, c := range batch {
		c.end(e.shareOf(result, c), nil)
	}
	return nil, nil
}

// sift ends the changes that can't be made, each with its own error, and returns the others.
func (e *Engine) sift(ctx context.Context, batch []*change, s *survey) []*change {
	errs := make([]error, len(batch))
	claimed := map[Claim]string{}
	_ = host.ForEach(len(batch), 16, func(i int) error {
		errs[i] = guarded(e.log, "a change", func() error { return e.try(batch[i], s) })
		return nil
	})
	var good []*change
	for i, c := range batch {
		err := errs[i]
		if err == nil {
			err = guarded(e.log, "a resource", func() error { return claimInBatch(claimed, c.req) })
		}
		if err != nil {
			c.end(nil, err)
			continue
		}
		c.req.checked = true // an upstream is asked once, however often the batch is tried
		good = append(good, c)
	}
	return good
}

// try reports whether a change could be made by itself, without making it.
func (e *Engine) try(c *change, s *survey) error {
	pl := newPlanner(e, c.req, s)
	if err := pl.run(c.ctx); err != nil || c.req.checked {
		return err
	}
	c.told = pl.warnings
	return e.sideBySide(c.ctx, len(pl.checks), func(ctx context.Context, i int) error { return e.doCheckHealth(ctx, pl.checks[i].Step) })
}

// claimInBatch refuses what a change before this one in the batch claims.
func claimInBatch(claimed map[Claim]string, req Request) error {
	own := map[Claim]string{}
	for _, r := range req.resources() {
		claimer, ok := r.(Claimer)
		if !ok {
			continue
		}
		for _, c := range claimer.Claims() {
			if other, taken := claimed[c]; taken && other != r.Address() {
				return conflict(c, r.Address(), other)
			}
			own[c] = r.Address()
		}
	}
	maps.Copy(claimed, own)
	return nil
}

// separate finds whose fault a failure is. Those are ended with it, and the others returned to be tried again. Where no
// culprit is named, half of the batch is tried, and then the other half.
func (e *Engine) separate(ctx context.Context, batch []*change, err error) []*change {
	if len(batch) == 1 {
		batch[0].end(nil, err)
		return nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok || failure.Outcome == NeedsRecovery || !oneRoutesFault(failure.Code) {
		endAll(batch, err)
		return nil
	}
	if i := culprit(batch, failure); i >= 0 {
		batch[i].end(nil, err)
		return slices.Delete(slices.Clone(batch), i, i+1)
	}
	half := slices.Clone(batch[:len(batch)/2])
	for len(half) > 0 {
		var err error
		if half, err = e.tryTogether(ctx, half); err != nil {
			endAll(half, err)
			break
		}
	}
	return slices.Clone(batch[len(batch)/2:])
}

// oneRoutesFault reports whether a failure can be the doing of one route among several.
func oneRoutesFault(c Code) bool {
	switch c {
	case NginxTestFailed, ConfigReadFailed, ConfigWriteFailed, ConfigDeleteFailed, StalePlan, DomainConflict, UnmanagedFile, InvalidInput, UpstreamUnhealthy:
		return true
	}
	return false
}

// culprit returns the change whose file the failure names, or -1.
func culprit(batch []*change, failure *Error) int {
	file, _ := failure.Details["file"].(string)
	address, ok := resources.AddressOf(filepath.Base(file))
	if !ok {
		return -1
	}
	return slices.IndexFunc(batch, func(c *change) bool { return slices.Contains(c.sites, address) })
}

// merge makes one request of several.
func merge(batch []*change) Request {
	whole := Request{Operation: batch[0].req.Operation, KeepUnlisted: true, checked: true}
	for _, c := range batch {
		whole.Routes = append(whole.Routes, c.req.Routes...)
		whole.Resources = append(whole.Resources, c.req.Resources...)
		whole.Delete = append(whole.Delete, c.req.Delete...)
	}
	return whole
}

// shareOf is the part of a result that is one change's own, with the steps that serve all.
func (e *Engine) shareOf(r *Result, c *change) *Result {
	names := map[string]bool{}
	for _, address := range c.sites {
		names[nameOf(address)] = true
	}
	serves := func(address string) bool { return address == "" || e.isImplied(address) || names[nameOf(address)] }
	p := *r.Plan
	p.Operation = c.req.Operation
	p.Changes = slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool { return !serves(c.Address) || e.isImplied(c.Address) })
	p.Steps = slices.DeleteFunc(slices.Clone(p.Steps), func(s plan.Step) bool { return !serves(s.Address) })
	p.Summary = summarise(p.Changes)
	p.Warnings = slices.Clone(p.Warnings)
	for _, w := range c.told {
		if !slices.Contains(p.Warnings, w) {
			p.Warnings = append(p.Warnings, w)
		}
	}
	return &Result{ID: r.ID, Plan: &p, Duration: r.Duration}
}

// sharedContext is what several changes run under: it goes on while their callers come and go, and every caller hears of
// the steps.
func sharedContext(e *Engine, batch []*change) context.Context {
	var listeners []func(Event)
	var actors []string
	for _, c := range batch {
		if f, ok := c.ctx.Value(eventKey{}).(func(Event)); ok {
			listeners = append(listeners, f)
		}
		if a := e.actor(c.ctx); !slices.Contains(actors, a) {
			actors = append(actors, a)
		}
	}
	ctx := WithActor(context.Background(), strings.Join(actors, ", "))
	return WithEvents(ctx, func(ev Event) {
		for _, f := range listeners {
			f(ev)
		}
	})
}
