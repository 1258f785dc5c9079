package engine

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A StepKind does one kind of step and can take it back, in this process or, after a crash, in the next. It keeps no
// state of its own between calls: everything it needs is in the step's Spec and in the receipt that Do returned.
//
// Steps that write files or links need no kind: [Builder] makes them, and the engine undoes them. A kind whose undo wants
// those files back first is a [LateUndo], too.
//
// A kind that panics has failed: in Do, the whole apply is undone and its error has the code Internal; in Undo, recovery is
// needed. An error that a kind returns is never written to; if there is an [Error] in its chain, its code is the apply's.
type StepKind interface {
	// Name is the kind's name in plans; one of your own should hold a dot, such as "dns.set_record".
	Name() string
	// Do does the step. The receipt, if any, is what Undo needs to know beyond the step; it is kept in the journal.
	Do(ctx context.Context, host *Host, step plan.Step) (receipt json.RawMessage, err error)
	// Undo restores what Do changed, also when it runs a second time. The receipt is nil if Do may or may not have run.
	// If it fails, the journal is kept, and recovery tries again.
	Undo(ctx context.Context, host *Host, step plan.Step, receipt json.RawMessage) error
}

// A LateUndo is a [StepKind] that makes a program take up files, as a reload does. Steps are taken back in reverse order, so
// a reload that follows a write would be undone first, and load the new file again. Steps of a kind whose UndoAfterFiles
// returns true are taken back after all others instead, in reverse order among themselves, once every file and link of
// the plan is what it was, durably.
type LateUndo interface {
	StepKind
	UndoAfterFiles() bool
}

// A Host is what a [StepKind] works on.
type Host struct {
	FS     host.FS
	Logger *slog.Logger
	Clock  func() time.Time
}

// A stepFunc is a built-in kind whose effect is undone by other means: a test changes nothing, a reload is undone by
// another reload once the files are back, and an issued certificate is kept.
type stepFunc struct {
	name string
	do   func(ctx context.Context, step plan.Step) error
}

func (k stepFunc) Name() string { return k.name }

func (k stepFunc) Do(ctx context.Context, _ *Host, step plan.Step) (json.RawMessage, error) {
	return nil, k.do(ctx, step)
}

func (k stepFunc) Undo(context.Context, *Host, plan.Step, json.RawMessage) error { return nil }

// A foreignKind is a kind of the caller's own, as the journal wants it.
type foreignKind struct {
	e    *Engine
	kind StepKind
}

// foreign returns the kind of that name, if the caller brought it.
func (e *Engine) foreign(name string) (journal.Kind, bool) {
	kind, ok := e.steps[name]
	if _, builtin := kind.(stepFunc); builtin || !ok {
		return nil, false
	}
	return foreignKind{e, kind}, true
}

func (k foreignKind) Do(ctx context.Context, step plan.Step) (json.RawMessage, error) {
	return k.kind.Do(ctx, k.e.host(), step)
}

func (k foreignKind) Undo(ctx context.Context, step plan.Step, receipt json.RawMessage) error {
	return guarded(k.e.log, "undo of "+step.Kind, func() error { return k.kind.Undo(ctx, k.e.host(), step, receipt) })
}

func (k foreignKind) UndoAfterFiles() bool {
	late, ok := k.kind.(LateUndo)
	return ok && late.UndoAfterFiles()
}

func (e *Engine) host() *Host { return &Host{FS: e.fs, Logger: e.log, Clock: e.opts.Clock} }

// builtinSteps are the kinds of step that need no undo of their own. Those that change a path, and those that make nginx take
// a change up, are done by the [application] itself.
func (e *Engine) builtinSteps() []StepKind {
	return []StepKind{
		stepFunc{plan.CheckHealth, e.doCheckHealth},
		stepFunc{plan.IssueCertificate, e.obtainCertificate},
		stepFunc{plan.RenewCertificate, e.obtainCertificate},
		stepFunc{plan.DeleteCertificate, e.deleteCertificate},
	}
}
