package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
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
func (e *Engine) execute(ctx context.Context, p *plan.Plan, s *survey) (*Result, error) {
	start := e.opts.Clock()
	if p.Empty() {
		return &Result{Plan: p}, nil
	}
	ready := make(chan error, 1)
	go func() { ready <- e.checkReady(ctx, p, s) }()
	tx := e.newTransaction(ctx, p, s) // meanwhile: nginx may be testing its configuration
	if err := <-ready; err != nil {
		return nil, err
	}
	if changesConfiguration(p) {
		e.warnDraining(ctx, tx)
	}
	checks := leadingChecks(p.Steps)
	if err := host.ForEach(checks, 16, func(i int) error { return e.runStep(ctx, tx, p.Steps[i], i) }); err != nil {
		return nil, err
	}
	if err := tx.start(p.Steps); err != nil {
		return nil, e.abandon(ctx, tx, failf(ConfigWriteFailed, err, "prepare the change"))
	}
	result := "applied"
	failed, err := e.runSteps(ctx, tx, p.Steps, checks)
	if err == nil {
		if len(failed) > 0 {
			result = "partial"
		}
		err = e.commit(tx, result)
	}
	if err != nil {
		return nil, e.takeBack(ctx, tx, err)
	}
	e.settleAfter(ctx, tx, p, s)
	undeleted := e.deleteCertificates(ctx, tx, p.Steps)
	if len(failed) > 0 {
		return nil, partialError(failed, tx.changed)
	}
	if undeleted != nil && !tx.changed {
		return nil, undeleted // nothing else was asked for
	}
	return &Result{ID: tx.begin.ID, Plan: p, Duration: e.opts.Clock().Sub(start), Warnings: textOf(undeleted)}, nil
}

// leadingChecks is how many steps at the start only ask upstreams: they can be done side by side, before anything is written.
func leadingChecks(steps []plan.Step) int {
	n := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Kind != plan.CheckHealth })
	if n < 0 {
		return len(steps)
	}
	return n
}

// runSteps does the steps one after the other. A certificate that can't be had stops only what depends on it: the route
// goes on over HTTP.
func (e *Engine) runSteps(ctx context.Context, tx *transaction, steps []plan.Step, from int) (failed []error, err error) {
	// Something was done since nginx last loaded its configuration; by somebody else, where a plan begins with a reload.
	pending := from < len(steps) && takesEffect(steps[from])
	for i := from; i < len(steps); i++ {
		step := steps[i]
		if step.Kind == plan.DeleteCertificate {
			continue // once all is final, see deleteCertificates
		}
		if slices.ContainsFunc(step.DependsOn, func(id string) bool { return tx.missing[id] }) || (takesEffect(step) && !pending) {
			tx.skipped = append(tx.skipped, step.ID)
			e.emit(ctx, Event{Type: StepSkipped, ApplyID: tx.begin.ID, Step: &step})
			continue
		}
		if err := context.Cause(ctx); err != nil {
			return failed, failf(Internal, err, "stopped before step %s (%s)", step.ID, step.Description)
		}
		err := e.runStep(ctx, tx, step, i)
		switch {
		case err == nil:
			pending = step.Kind != plan.Verify
			tx.changed = tx.changed || !isLook(step)
		case isObtaining(step) && ctx.Err() == nil:
			tx.missing[step.ID] = true
			failed = append(failed, err)
		default:
			return failed, err
		}
	}
	return failed, nil
}

// isLook reports whether a step only looks.
func isLook(s plan.Step) bool {
	return s.Kind == plan.CheckHealth || s.Kind == plan.TestConfig || s.Kind == plan.Verify
}

func takesEffect(s plan.Step) bool {
	return s.Kind == plan.TestConfig || s.Kind == plan.Reload || s.Kind == plan.Verify
}

func isObtaining(s plan.Step) bool {
	return s.Kind == plan.IssueCertificate || s.Kind == plan.RenewCertificate
}

// runStep does one step and tells of it.
func (e *Engine) runStep(ctx context.Context, tx *transaction, step plan.Step, i int) error {
	start := e.opts.Clock()
	e.emit(ctx, Event{Type: StepStarted, ApplyID: tx.begin.ID, Step: &step})
	err := e.doStep(ctx, tx, step, i)
	ev := Event{Type: StepDone, ApplyID: tx.begin.ID, Step: &step, Duration: e.opts.Clock().Sub(start)}
	if err != nil {
		ev.Type, ev.Error = StepFailed, err.Error()
	}
	e.emit(ctx, ev)
	var known *Error
	if errors.As(err, &known) {
		known.Step = step.ID
	}
	return err
}

func (e *Engine) doStep(ctx context.Context, tx *transaction, step plan.Step, i int) error {
	switch {
	case isPathStep(step):
		if err := tx.change(step, i); err != nil {
			return pathError(step, err)
		}
		return nil
	case step.Kind == plan.TestConfig:
		return tx.testConfig(ctx)
	case step.Kind == plan.Reload:
		return tx.reload(ctx)
	case step.Kind == plan.Verify:
		return tx.verify(ctx, step)
	default:
		return tx.do(ctx, step)
	}
}

func pathError(step plan.Step, err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	code := ConfigWriteFailed
	if step.Kind == plan.RemoveFile || step.Kind == plan.RemoveSymlink {
		code = ConfigDeleteFailed
	}
	return failf(code, err, "%s", step.Description).with("file", step.Path)
}

// commit makes the apply final. If that fails, it must also be certain that no later run takes it for done.
func (e *Engine) commit(tx *transaction, result string) error {
	err := tx.commit(result)
	if err == nil {
		return nil
	}
	failure := failf(ConfigWriteFailed, err, "make the change durable")
	if tx.journal.uncertain {
		failure.Outcome = NeedsRecovery
	}
	return failure
}

// settleAfter does what has to be done after an apply, none of which can make it fail.
func (e *Engine) settleAfter(ctx context.Context, tx *transaction, p *plan.Plan, s *survey) {
	if err := tx.finish(); err != nil {
		e.log.WarnContext(ctx, "the apply is done, but its journal could not be put away", "error", err)
	}
	e.pruneHistory()
	e.noteTested(tx, p, s)
}

// warnDraining tells, before a reload adds to them, of old workers that pile up: an open WebSocket keeps the worker alive
// that has it, with all its memory, reload after reload. As many as one reload leaves behind are no news.
func (e *Engine) warnDraining(ctx context.Context, tx *transaction) {
	pid, err := e.nginx.Master(tx.paths.PIDFile)
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
	e.log.WarnContext(ctx, text, "draining", n)
	e.emit(ctx, Event{Type: Warning, ApplyID: tx.begin.ID, Message: text})
}

// abandon ends a transaction that changed nothing visible yet.
func (e *Engine) abandon(ctx context.Context, tx *transaction, cause *Error) error {
	e.pruneHistory() // it may be the history that fills the disk
	if tx.journal == nil {
		return cause
	}
	if err := e.dropQuietly(tx); err != nil {
		e.log.WarnContext(ctx, "temporary files could not be removed; the next run does it", "error", err)
	}
	return cause
}

// takeBack undoes what was done and says in the error what became of it.
func (e *Engine) takeBack(ctx context.Context, tx *transaction, cause error) error {
	var failure *Error
	if !errors.As(cause, &failure) {
		failure = failf(Internal, cause, "apply")
	}
	if failure.Outcome == NeedsRecovery {
		return failure
	}
	// The caller may be gone, and the host must not be left half-way for that.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*e.opts.NginxTimeout+time.Minute)
	defer cancel()
	e.emit(ctx, Event{Type: UndoStarted, ApplyID: tx.begin.ID, Error: failure.Error()})
	err := tx.rollBack(ctx, failure.Error(), tx.tested)
	ev := Event{Type: UndoDone, ApplyID: tx.begin.ID}
	failure.Outcome = Undone
	if err != nil {
		failure.Outcome = NeedsRecovery
		failure.Err = errors.Join(failure.Err, fmt.Errorf("undo: %w", err))
		ev.Error = err.Error()
	}
	e.emit(ctx, ev)
	e.pruneHistory()
	return failure
}

// partialError is the error of an apply that left routes without their certificate. If it did nothing else, it changed
// nothing.
func partialError(failed []error, changed bool) error {
	first := &Error{}
	if !errors.As(failed[0], &first) {
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

// rollBack undoes, brings nginx back to what the files say, and closes the journal.
func (tx *transaction) rollBack(ctx context.Context, why string, reload bool) error {
	if err := tx.undo(ctx); err != nil {
		return err
	}
	if reload {
		if err := tx.locate(ctx); err != nil {
			return err
		}
		if err := tx.reconverge(ctx); err != nil {
			return err
		}
	}
	// A full disk must not make undo fail: then there is no entry in the history, and nothing else is lost.
	if err := tx.journal.append(record{Type: "rolled_back", At: tx.e.opts.Clock().UTC(), Result: "undone", Error: why}); err != nil {
		return tx.e.dropQuietly(tx)
	}
	return tx.finish()
}
