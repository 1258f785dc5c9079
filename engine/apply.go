package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Result is what an apply that did not fail has done.
type Result struct {
	// ID names the apply in the history; empty where there was nothing to do.
	ID       string        `json:"id"`
	Plan     *plan.Plan    `json:"plan"`
	Duration time.Duration `json:"duration_ns"`
	// Warnings tell of what did not work and does not matter to what was asked for: a certificate that nothing uses any
	// more and that could not be deleted.
	Warnings []string `json:"warnings,omitempty"`
}

// Apply does what a plan says, if everything that the plan was made from is still as it was: otherwise the error has the
// code StalePlan and names what changed. The plan's steps are not taken on trust: they are computed again from its
// request, and must come out the same.
func (e *Engine) Apply(ctx context.Context, p *plan.Plan) (*Result, error) {
	req, err := e.parseRequest(p.Request)
	if err != nil {
		return nil, err
	}
	var result *Result
	// Before anything is locked, and from the request: the plan's own steps are not taken on trust.
	if ctx, err = e.askAhead(ctx, req.Routes); err != nil {
		return nil, err
	}
	err = e.exclusively(ctx, p.Operation, func(ctx context.Context) error {
		fresh, s, err := e.planAgain(ctx, p, req)
		if err != nil {
			return err
		}
		result, err = e.execute(ctx, fresh, s)
		return err
	})
	return result, err
}

// execute does the steps, and takes all of them back if one fails.
func (e *Engine) execute(ctx context.Context, p *planned, s *survey) (*Result, error) {
	start := e.opts.Clock()
	if p.plan.Empty() {
		e.noteUses(ctx, p)
		return &Result{Plan: p.plan}, nil
	}
	var ready error
	var look sync.WaitGroup
	look.Go(func() {
		ready = guarded(e.log, "the look at nginx", func() error { return e.checkReady(ctx, p.steps, s) })
	})
	defer look.Wait()                      // whatever panics below: nobody looks any more once another writer may begin
	a := e.newApplication(ctx, p, s.paths) // meanwhile: nginx may be testing its configuration
	if look.Wait(); ready != nil {
		return nil, ready
	}
	if changesConfiguration(p.steps) {
		e.warnDraining(ctx, a)
	}
	checks := leadingChecks(p.steps)
	if err := e.sideBySide(ctx, checks, func(ctx context.Context, i int) error { return a.runStep(ctx, i) }); err != nil {
		return nil, err
	}
	failed, err := a.carryOut(ctx, checks)
	if err != nil {
		return nil, err
	}
	e.settleAfter(ctx, a, s)
	e.noteUses(ctx, p)
	undeleted := e.deleteCertificates(ctx, a)
	if len(failed) > 0 {
		return nil, partialError(failed, a.changed)
	}
	if undeleted != nil && !a.changed {
		return nil, undeleted // nothing else was asked for
	}
	return &Result{ID: a.tx.ID(), Plan: p.plan, Duration: e.opts.Clock().Sub(start), Warnings: textOf(undeleted)}, nil
}

// leadingChecks is how many steps at the start can be done side by side, before anything is written.
func leadingChecks(steps []journal.Step) int {
	n := slices.IndexFunc(steps, func(s journal.Step) bool { return !traitsOf(s.Kind).ahead })
	if n < 0 {
		return len(steps)
	}
	return n
}

// carryOut does the steps from one on and makes them final. On an error, all of them are taken back. It returns also why
// certificates could not be had.
func (a *application) carryOut(ctx context.Context, from int) (failed []error, err error) {
	if err := a.tx.Start(); err != nil {
		return nil, a.abandon(ctx, journalError(err, ConfigWriteFailed, "prepare the change"))
	}
	failed, err = a.runSteps(ctx, from)
	if err == nil {
		result := journal.Applied
		if len(failed) > 0 {
			result = journal.Partial
		}
		err = a.commit(result)
	}
	if err != nil {
		return nil, a.takeBack(ctx, err)
	}
	return failed, nil
}

// runSteps does the steps one after the other. A certificate that can't be had stops only what depends on it: the route
// goes on over HTTP.
func (a *application) runSteps(ctx context.Context, from int) (failed []error, err error) {
	// Something was done since nginx last loaded its configuration; by somebody else, where a plan begins with a reload.
	pending := from < len(a.steps) && traitsOf(a.steps[from].Kind).takesEffect
	for i := from; i < len(a.steps); i++ {
		step := a.steps[i].Step
		kind := traitsOf(step.Kind)
		if kind.final {
			continue // once all is done, see deleteCertificates
		}
		if slices.ContainsFunc(step.DependsOn, func(id string) bool { return a.missing[id] }) || (kind.takesEffect && !pending) {
			a.tx.Skip(step.ID)
			a.e.emit(ctx, Event{Type: StepSkipped, ApplyID: a.tx.ID(), Step: &step})
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return failed, failf(Internal, err, "stopped before step %s (%s)", step.ID, step.Description)
		}
		err := a.runStep(ctx, i)
		switch {
		case err == nil:
			pending = step.Kind != plan.Verify
			a.changed = a.changed || !kind.looks
		case kind.obtains && ctx.Err() == nil:
			a.missing[step.ID] = true
			failed = append(failed, err)
		default:
			return failed, err
		}
	}
	return failed, nil
}

// runStep does one step and tells of it.
func (a *application) runStep(ctx context.Context, i int) error {
	step, start := a.steps[i].Step, a.e.opts.Clock()
	a.e.emit(ctx, Event{Type: StepStarted, ApplyID: a.tx.ID(), Step: &step})
	err := guarded(a.e.log, "step "+step.ID+" ("+step.Kind+")", func() error { return a.do(ctx, i) })
	ev := Event{Type: StepDone, ApplyID: a.tx.ID(), Step: &step, Duration: a.e.opts.Clock().Sub(start)}
	if err != nil {
		ev.Type, ev.Error = StepFailed, err.Error()
	}
	a.e.emit(ctx, ev)
	return stepError(step, err)
}

// settleAfter does what has to be done after an apply, none of which can make it fail.
func (e *Engine) settleAfter(ctx context.Context, a *application, s *survey) {
	if err := a.tx.Finish(); err != nil {
		e.log.WarnContext(ctx, "the apply is done, but its journal could not be put away", "error", err)
	}
	e.prune()
	e.noteTested(a, s)
}

// warnDraining tells, before a reload adds to them, of old workers that pile up: an open WebSocket keeps the worker alive
// that has it, with all its memory, reload after reload. As many as one reload leaves behind are no news.
func (e *Engine) warnDraining(ctx context.Context, a *application) {
	pid, err := e.nginx.Master(a.was.PIDFile)
	if err != nil {
		return
	}
	w, err := nginx.WorkersOf(pid)
	if err != nil || len(w.Draining) < len(w.Accepting) {
		return
	}
	n := w.Lingering(time.Now())
	if n < len(w.Accepting) {
		return
	}
	text := fmt.Sprintf("%d old workers of nginx still have open connections, such as WebSockets, from earlier reloads; worker_shutdown_timeout in nginx.conf bounds how long they live", n)
	e.warn(ctx, a.tx.ID(), text)
}

// warn tells what went well and still wants looking at.
func (e *Engine) warn(ctx context.Context, applyID, text string) {
	e.log.WarnContext(ctx, text)
	e.emit(ctx, Event{Type: Warning, ApplyID: applyID, Message: text})
}

// abandon ends an apply that changed nothing visible yet.
func (a *application) abandon(ctx context.Context, cause *Error) error {
	a.e.prune() // it may be the history that fills the disk
	if err := a.tx.Abandon(); err != nil {
		a.e.log.WarnContext(ctx, "temporary files could not be removed; the next run does it", "error", err)
	}
	return cause
}

// takeBack undoes what was done and says in the error what became of it.
func (a *application) takeBack(ctx context.Context, cause error) error {
	e := a.e
	failure, ok := errors.AsType[*Error](cause)
	if !ok {
		failure = failf(Internal, cause, "apply")
	}
	if failure.Outcome == NeedsRecovery {
		return failure
	}
	// The caller may be gone, and the host must not be left half-way for that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*e.opts.Nginx.Timeout+time.Minute)
	defer cancel()
	e.emit(ctx, Event{Type: UndoStarted, ApplyID: a.tx.ID(), Error: failure.Error()})
	complaint, err := e.rollBack(ctx, a.tx, failure.Error(), a.tested, a.was)
	ev := Event{Type: UndoDone, ApplyID: a.tx.ID()}
	failure.Outcome = Undone
	switch {
	case err != nil:
		failure.Outcome = NeedsRecovery
		failure.Err = errors.Join(failure.Err, fmt.Errorf("undo: %w", err))
		ev.Error = err.Error()
	case failure.Code == NginxTestFailed && e.wasBroken(ctx, failure):
	case complaint != nil:
		failure.Err = errors.Join(failure.Err, fmt.Errorf("the files are as they were and nginx serves what it served, but it refuses them as well, so no reload will do before that is mended: %w", complaint))
		failure.with("nginx_waits_for", complaint.Error())
		ev.Message = complaint.Error()
	}
	e.emit(ctx, ev)
	e.prune()
	return failure
}

// wasBroken reports whether nginx refuses the files as they were, too, and makes that the failure: the test before a change is
// left out where nothing has changed of what nginx has accepted, and a certificate that another site names may be gone all the same.
func (e *Engine) wasBroken(ctx context.Context, failure *Error) bool {
	err := e.test(ctx, NginxBroken, "nginx's configuration was broken already, before anything was changed; mend it first")
	was, ok := errors.AsType[*Error](err)
	if _, refused := errors.AsType[*nginx.Refusal](err); !ok || !refused {
		return false
	}
	failure.Code, failure.Message, failure.Err, failure.Details = was.Code, was.Message, was.Err, was.Details
	return true
}

// partialError is the error of an apply that left routes without their certificate. If it did nothing else, it changed
// nothing.
func partialError(failed []error, changed bool) error {
	first, ok := errors.AsType[*Error](failed[0])
	if !ok {
		first = failf(SSLIssuanceFailed, failed[0], "")
	}
	whole := *first
	if changed {
		whole.Outcome = Partial
	}
	if len(failed) > 1 {
		whole.Message, whole.Err = "", errors.Join(failed...)
	}
	return &whole
}
