package facade

import (
	"context"
	"errors"
	"net/http"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A dryRunAnswer is what a change answers that was only to be planned.
type dryRunAnswer struct {
	DryRun bool       `json:"dry_run"`
	Plan   *plan.Plan `json:"plan"`
}

// carryOut makes the change that a request asks for, under the request's conditions, and has it answered. A dry run is
// answered with the plan.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, req engine.Request, answer func(*engine.Result) error) error {
	var err error
	if req.Precondition, err = precondition(r); err != nil {
		return err
	}
	if flag(r, dryRun) {
		return s.planOnly(w, r, req)
	}
	result, err := s.do(r.Context(), req)
	if err != nil {
		return err
	}
	return answer(result)
}

// planOnly answers with what a change would do.
func (s *Server) planOnly(w http.ResponseWriter, r *http.Request, req engine.Request) error {
	p, err := s.planned(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, dryRunAnswer{true, p})
}

func (s *Server) planned(ctx context.Context, req engine.Request) (*plan.Plan, error) {
	p, err := s.eng.Plan(ctx, req)
	s.metrics.planned(err)
	return p, err
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
