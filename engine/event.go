package engine

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An EventType says what an [Event] tells.
type EventType string

const (
	StepStarted EventType = "step_start"
	StepDone    EventType = "step_done"
	StepFailed  EventType = "step_failed"
	StepSkipped EventType = "step_skipped"
	UndoStarted EventType = "undo_start"
	UndoDone    EventType = "undo_done"
	Recovered   EventType = "recovered"
	// Warning tells, in Message, what went well and still wants looking at.
	Warning EventType = "warning"
)

// An Event is one thing that happened while a plan was applied. Its JSON form is one line of the event stream.
type Event struct {
	Type     EventType     `json:"type"`
	Time     time.Time     `json:"timestamp"`
	ApplyID  string        `json:"apply_id"`
	Step     *plan.Step    `json:"step,omitempty"`
	Duration time.Duration `json:"duration_ns,omitempty"`
	Error    string        `json:"error,omitempty"`
	Message  string        `json:"message,omitempty"`
}

type eventKey struct{}

// WithEvents returns a context whose applies report to f as well as to [Options.OnEvent]. Like that, it must not block,
// and if it panics, that is logged and the apply goes on.
func WithEvents(ctx context.Context, f func(Event)) context.Context {
	return context.WithValue(ctx, eventKey{}, f)
}

func (e *Engine) emit(ctx context.Context, ev Event) {
	ev.Time = e.opts.Clock().UTC()
	e.tell(e.opts.OnEvent, ev)
	f, _ := ctx.Value(eventKey{}).(func(Event))
	e.tell(f, ev)
}

// tell calls a listener. One that panics decides nothing: what happens to the host is not its business.
func (e *Engine) tell(listener func(Event), ev Event) {
	if listener == nil {
		return
	}
	_ = guarded(e.log, "a listener for events", func() error {
		listener(ev)
		return nil
	})
}
