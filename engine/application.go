package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An application is a plan that is being applied: the journal's transaction, and what of it is nginx's.
type application struct {
	e         *Engine
	tx        *journal.Transaction
	steps     []journal.Step
	was       place            // nginx, as it was found
	reloading nginx.Reload     // the reload that was asked for last
	loaded    nginx.Generation // what the last of them has brought
	loadedAt  time.Time        // when that was seen
	tested    bool             // nginx accepted the new files, so by now anybody may have made it load them
	missing   map[string]bool  // steps whose certificate could not be had
	changed   bool             // something was done that can be seen
}

// newApplication lays out what will be done, and writes nothing.
func (e *Engine) newApplication(ctx context.Context, p *planned, paths nginx.Paths) *application {
	before, _ := e.nginx.Generation(paths.PIDFile) // where none runs, none is reloaded
	begin := journal.Begin{
		ID: e.opts.NewID(), PlanID: p.plan.ID, Operation: p.plan.Operation, Actor: e.actor(ctx),
		Summary: p.plan.Summary, Changes: changesOnly(p.plan.Changes),
	}
	return &application{e: e, tx: e.journals.New(begin, p.steps), steps: p.steps, was: place{paths, before}, missing: map[string]bool{}}
}

// changesOnly leaves out what stays as it is: the history tells what has changed, and of ten thousand routes seldom more than
// one does.
func changesOnly(all []plan.Change) []plan.Change {
	return slices.DeleteFunc(slices.Clone(all), func(c plan.Change) bool { return c.Action == plan.Unchanged })
}

// do does one step.
func (a *application) do(ctx context.Context, i int) error {
	step := a.steps[i].Step
	switch {
	case a.steps[i].ChangesPath():
		return pathError(step, a.tx.Change(i))
	case step.Kind == plan.TestConfig:
		return a.testConfig(ctx)
	case step.Kind == plan.Reload:
		return a.reload(ctx)
	case step.Kind == plan.Verify:
		return a.verify(ctx, step)
	}
	kind, ok := a.e.steps[step.Kind]
	if !ok {
		return failf(InvalidInput, nil, "no step kind %q is registered (Options.Kinds)", step.Kind)
	}
	if builtin, ok := kind.(stepFunc); ok {
		return builtin.do(ctx, step)
	}
	err := a.tx.Do(ctx, i)
	if written, ok := errors.AsType[*journal.WriteError](err); ok {
		return journalError(written, ConfigWriteFailed, "do %s", step.Description)
	}
	return err
}

func pathError(step plan.Step, err error) error {
	if err == nil {
		return nil
	}
	code := ConfigWriteFailed
	if step.Kind == plan.RemoveFile || step.Kind == plan.RemoveSymlink {
		code = ConfigDeleteFailed
	}
	return journalError(err, code, "%s", step.Description).with("file", step.Path)
}

// journalError gives what the journal says a code: the given one, unless the error says more.
func journalError(err error, code Code, format string, args ...any) *Error {
	if changed, ok := errors.AsType[*journal.ChangedError](err); ok {
		return failf(StalePlan, err, "").with("changed", []string{changed.Path})
	}
	if _, ok := errors.AsType[*journal.ReadError](err); ok {
		code = ConfigReadFailed
	}
	return failf(code, err, format, args...)
}

// stepError is the error of a step that failed. A kind's own error may be its caller's, or be there for all: it is never
// written to.
func stepError(step plan.Step, err error) error {
	if err == nil {
		return nil
	}
	known, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Code: Internal, Step: step.ID, Message: step.Description, Err: err}
	}
	// Not the outcome: what became of this host is said by whoever undoes.
	return &Error{Code: known.Code, Step: step.ID, Details: maps.Clone(known.Details), Err: err}
}

// commit makes the apply final. If that fails, it must also be certain that no later run takes it for done.
func (a *application) commit(result journal.Result) error {
	err := a.tx.Commit(result)
	if err == nil {
		return nil
	}
	failure := journalError(err, ConfigWriteFailed, "make the change durable")
	if errors.Is(err, journal.ErrUncertain) {
		failure.Outcome = NeedsRecovery
	}
	return failure
}

// rollBack undoes, brings nginx back to what the files say if it may have loaded others, and puts the journal away.
// Where nginx refuses the files as they were, too, and serves what it served, the undo is finished all the same: complaint is
// what nginx waits for then.
func (e *Engine) rollBack(ctx context.Context, tx *journal.Transaction, why string, loaded bool, was place) (complaint, err error) {
	err = guarded(e.log, "undo", func() error {
		if err := tx.Undo(ctx); err != nil {
			return err
		}
		if loaded {
			if complaint = e.bringBack(ctx, was); complaint != nil && !e.asItWas(was, complaint) {
				return fmt.Errorf("bring nginx back: %w", complaint)
			}
		}
		return tx.Undone(why)
	})
	return complaint, err
}

// A place is where a running nginx is found, and what it had loaded before a change; both are empty where nobody knows.
type place struct {
	nginx.Paths
	nginx.Generation
}

// asItWas reports whether an nginx that refuses to be brought back serves what it served before: it has kept what it had, and
// nobody has had it load anything since.
func (e *Engine) asItWas(was place, complaint error) bool {
	if !errors.Is(complaint, nginx.ErrKept) && !errors.Is(complaint, nginx.ErrTwoMasters) {
		return false
	}
	if was.Key == "" {
		return true // a process that is dead knew; the files are as they were, and no more can be done
	}
	now, err := e.nginx.Generation(was.PIDFile)
	return err == nil && now.Key == was.Key
}
