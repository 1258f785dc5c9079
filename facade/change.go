package facade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A dryRunAnswer is what a change answers that was only to be planned.
type dryRunAnswer struct {
	DryRun bool            `json:"dry_run"`
	Plan   json.RawMessage `json:"plan"`
}

// carryOut makes the change that a request asks for, under the request's conditions, and has it answered. A dry run is
// answered with the plan.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, req engine.Request, answer func(*engine.Result) error) error {
	conditions, err := precondition(r)
	if err != nil {
		return err
	}
	req.Precondition = both(req.Precondition, conditions)
	if flag(r, dryRun) {
		return s.planOnly(w, r, req)
	}
	result, err := s.do(r.Context(), req)
	if err != nil {
		return err
	}
	return answer(result)
}

// both returns a condition that holds where two do; nil for none.
func both(a, b func(engine.RouteStatus) error) func(engine.RouteStatus) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(now engine.RouteStatus) error {
		if err := a(now); err != nil {
			return err
		}
		return b(now)
	}
}

// planOnly answers with what a change would do.
func (s *Server) planOnly(w http.ResponseWriter, r *http.Request, req engine.Request) error {
	return s.answerPlan(w, r, req, func(p json.RawMessage) any { return dryRunAnswer{true, p} })
}

// answerPlan plans, and answers with the plan in whatever wrapped puts it. It holds its place among the heavy requests only
// until the answer is encoded, and waits for no client with it.
func (s *Server) answerPlan(w http.ResponseWriter, r *http.Request, req engine.Request, wrapped func(json.RawMessage) any) error {
	body, err := s.encodedPlan(r.Context(), req, wrapped)
	if err != nil {
		return err
	}
	return send(w, http.StatusOK, jsonMedia, body)
}

func (s *Server) encodedPlan(ctx context.Context, req engine.Request, wrapped func(json.RawMessage) any) ([]byte, error) {
	if !req.KeepUnlisted || len(req.Routes) > 1 {
		leave, err := s.whole.enter(ctx, "plans are being made")
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	leave, err := s.heavy.enter(ctx, "plans are being made")
	if err != nil {
		return nil, err
	}
	defer leave()
	p, err := s.eng.Plan(ctx, req)
	s.metrics.planned(err)
	if err != nil {
		return nil, err
	}
	return encodePlan(p, wrapped)
}

// encodePlan encodes a plan step by step: all at once, encoding/json would hold it three times. Where its diffs are too
// long, a warning says that some are missing.
func encodePlan(p *plan.Plan, wrapped func(json.RawMessage) any) ([]byte, error) {
	shown := *p
	shown.Steps = nil
	diffs, short := shorten(p.Steps)
	if short > 0 {
		shown.Warnings = append(slices.Clone(p.Warnings), fmt.Sprintf("the diffs of %d steps are left out, since they are longer than %d MiB together: this plan can't be applied from here, what it was made from can", short, maxDiffs>>20))
	}
	frame, err := shown.MarshalJSON()
	if err != nil {
		return nil, err
	}
	outer, err := encode(wrapped(frame))
	if err != nil {
		return nil, err
	}
	// What follows the steps are lists of texts, in which the quotes would be escaped.
	const empty = `"steps":[]`
	at := bytes.LastIndex(outer, []byte(empty)) + len(empty) - 1
	var b bytes.Buffer
	b.Grow(len(outer) + diffs + 512*len(p.Steps))
	b.Write(outer[:at])
	for i, step := range p.Steps {
		if i >= len(p.Steps)-short {
			step.Diff = ""
		}
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encodeStep(&b, step); err != nil {
			return nil, err
		}
	}
	b.Write(outer[at:])
	return b.Bytes(), nil
}

// encodeStep writes a step as [plan.Plan.MarshalJSON] does: bytes that are not UTF-8 in the form that they have once they
// were read back.
func encodeStep(b *bytes.Buffer, step plan.Step) error {
	text, err := encode(step)
	if err == nil && bytes.Contains(text, []byte(`\ufffd`)) {
		var read plan.Step
		if err := json.Unmarshal(text, &read); err != nil {
			return err
		}
		text, err = encode(read)
	}
	b.Write(bytes.TrimSuffix(text, []byte("\n")))
	return err
}

// shorten returns how many bytes of diffs are told, and of how many of the last steps none are.
func shorten(steps []plan.Step) (diffs, short int) {
	for i, step := range steps {
		if diffs+len(step.Diff) > maxDiffs {
			return diffs, len(steps) - i
		}
		diffs += len(step.Diff)
	}
	return diffs, 0
}

// change does what is asked for. It goes on when the client hangs up, who then can't know how far it has come and asks
// again; only the end of the server interrupts it.
func (s *Server) change(ctx context.Context, operation string, do func(context.Context) (*engine.Result, error)) (*engine.Result, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(s.base, func() { cancel(errStopping) })()

	start := s.opts.Clock()
	result, err := s.survived(s.watched(ctx), do)
	if err != nil && s.base.Err() != nil {
		err = &engine.Error{Code: engine.ShuttingDown, Message: errStopping.Message, Outcome: engine.OutcomeOf(err), Err: err}
	}
	s.metrics.applied(operation, err)
	s.audit(ctx, operation, result, err, s.opts.Clock().Sub(start))
	return result, err
}

// survived does a change and makes an error of a panic in it. What is half done then is taken back by the next change,
// which finds the journal.
func (s *Server) survived(ctx context.Context, do func(context.Context) (*engine.Result, error)) (result *engine.Result, err error) {
	if panicked := s.survive(ctx, func() { result, err = do(ctx) }); panicked != nil {
		return nil, panicked
	}
	return result, err
}

// do is change for a request to the engine.
func (s *Server) do(ctx context.Context, req engine.Request) (*engine.Result, error) {
	return s.change(ctx, req.Operation, func(ctx context.Context) (*engine.Result, error) { return s.eng.Do(ctx, req) })
}

// watched returns a context whose steps are logged and counted.
func (s *Server) watched(ctx context.Context) context.Context {
	stream, _ := ctx.Value(streamKey{}).(func(engine.Event))
	return engine.WithEvents(ctx, func(ev engine.Event) {
		s.logStep(ctx, ev)
		s.metrics.step(ev)
		if stream != nil {
			stream(ev)
		}
	})
}

type streamKey struct{}

// withStream returns a context whose steps are told to f as well. It must not block: nginx waits for it.
func withStream(ctx context.Context, f func(engine.Event)) context.Context {
	return context.WithValue(ctx, streamKey{}, f)
}

// isCode reports whether an error has that code.
func isCode(err error, code engine.Code) bool { return errors.Is(err, &engine.Error{Code: code}) }
