package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

// A report tells of an apply from its beginning to its end.
type report interface {
	begin() error
	// event is called for every step as it starts and ends, from several goroutines.
	event(engine.Event)
	// end tells what was done.
	end(*engine.Result) error
}

func (p *program) newReport(c *cli.Context, pl *plan.Plan) report {
	if c.Bool(optJSON) {
		p.lines = &eventLines{encoder: json.NewEncoder(p.Out), plan: pl}
		return p.lines
	}
	return &progress{
		p: p, plan: pl, total: len(pl.Steps), slow: map[string]*time.Timer{},
		// Nobody is asked to approve what was not shown.
		quiet: c.Bool(optQuiet) && c.Bool(optApprove),
	}
}

// A progress is the report for people: the plan to stdout, a line to stderr for each step when it is done.
type progress struct {
	p     *program
	plan  *plan.Plan
	quiet bool

	mu    sync.Mutex
	done  int
	total int
	slow  map[string]*time.Timer // by step: tells that it still runs
}

// slowAfter is how long a step may run before people wonder.
const slowAfter = 2 * time.Second

func (r *progress) begin() error {
	if r.quiet {
		return nil
	}
	return r.p.printPlan(r.plan)
}

func (r *progress) event(ev engine.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch ev.Type {
	case engine.Warning:
		r.p.say("Warning: %s", visible(ev.Message))
	case engine.UndoStarted:
		r.p.say("Undoing what was done ...")
	case engine.UndoDone:
		if ev.Error == "" {
			r.p.say("Undone: the host is as it was.")
		}
	case engine.Recovered:
		r.p.say("Recovered: %s.", visible(ev.Message))
	default:
		if !r.quiet {
			r.step(ev)
		}
	}
}

// step tells of one step.
func (r *progress) step(ev engine.Event) {
	switch ev.Type {
	case engine.StepStarted:
		step := *ev.Step
		r.slow[step.ID] = time.AfterFunc(slowAfter, func() { r.stillRuns(step) })
	case engine.StepDone:
		r.line(ev, "done, "+round(ev.Duration))
	case engine.StepSkipped:
		r.line(ev, "left out")
	case engine.StepFailed:
		r.line(ev, "FAILED, "+round(ev.Duration))
	}
}

func (r *progress) line(ev engine.Event, how string) {
	if timer := r.slow[ev.Step.ID]; timer != nil {
		timer.Stop()
		delete(r.slow, ev.Step.ID)
	}
	r.done++
	r.p.say("[%*d/%d] %s: %s", len(fmt.Sprint(r.total)), r.done, r.total, visible(ev.Step.Description), how)
}

func (r *progress) stillRuns(step plan.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if timer := r.slow[step.ID]; timer != nil {
		r.p.say("  ... %s: still running", visible(step.Description))
		timer.Reset(5 * slowAfter)
	}
}

// round leaves of a duration what people want to know.
func round(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "<1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(100 * time.Millisecond).String()
	}
}

func (r *progress) end(result *engine.Result) error {
	if r.plan.Empty() {
		return nil
	}
	if result.Plan.ID != r.plan.ID {
		r.p.say("Note: the host was changed by somebody else since the plan was shown, and what was done is not all that was shown.")
	}
	if !r.quiet {
		r.p.say("")
	}
	return sayTo(r.p.Out, "Apply complete! %s.\n", summaryText(result.Plan.Summary))
}

func sayTo(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

// eventLines is the report for programs: one JSON object a line. The first says what wrote it, the last how it ended.
type eventLines struct {
	mu      sync.Mutex
	encoder *json.Encoder
	plan    *plan.Plan
}

// Types of lines beside those of engine.Event.
const (
	lineVersion = "version"
	lineSummary = "summary"
	lineError   = "error"
	lineSync    = "sync"
)

func (r *eventLines) begin() error {
	return r.write(map[string]string{"type": lineVersion, "proxy_manager": engine.Version, "plan_format": plan.FormatVersion, "plan_id": r.plan.ID})
}

func (r *eventLines) event(ev engine.Event) { _ = r.write(ev) }

func (r *eventLines) write(v any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.encoder.Encode(v)
}

// A summaryLine is the last line of an apply that did not fail.
type summaryLine struct {
	Type       string       `json:"type"`
	ApplyID    string       `json:"apply_id"` // empty where there was nothing to do
	Summary    plan.Summary `json:"summary"`
	Addresses  []string     `json:"addresses"`
	DurationNS int64        `json:"duration_ns"`
}

func (r *eventLines) end(result *engine.Result) error {
	return r.write(summaryLine{lineSummary, result.ID, result.Plan.Summary, append([]string{}, addresses(result.Plan)...), result.Duration.Nanoseconds()})
}

// An errorLine is the last line of an apply that failed. Error is what every failed command has on stdout.
type errorLine struct {
	Type     string         `json:"type"`
	Error    errorFacts     `json:"error"`
	Code     engine.Code    `json:"code"`
	Message  string         `json:"message"`
	Outcome  string         `json:"outcome"`
	ExitCode int            `json:"exit_code"`
	Details  map[string]any `json:"details,omitempty"`
}

func errorLineOf(err error) errorLine {
	facts := factsOf(err)
	return errorLine{
		Type: lineError, Error: facts, Code: facts.Code, Message: facts.Message, Outcome: engine.OutcomeOf(err).String(),
		ExitCode: codes.Exit(err), Details: facts.Details,
	}
}
