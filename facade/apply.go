package facade

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// keepUnlisted leaves routes alone that are managed but not in the desired state.
const keepUnlisted = "keep_unlisted"

func (s *Server) plan(w http.ResponseWriter, r *http.Request) error {
	leave, err := s.enterState(r)
	if err != nil {
		return err
	}
	defer leave()
	b, err := readBody(r)
	if err != nil {
		return err
	}
	req, err := desired(r, b)
	if err != nil {
		return err
	}
	return s.answerPlan(w, r, req, func(p json.RawMessage) any { return p })
}

// enterState lets a request in that has a whole state, or a plan, in its body. Small ones need not wait for large ones.
func (s *Server) enterState(r *http.Request) (leave func(), err error) {
	if 0 <= r.ContentLength && r.ContentLength <= smallState {
		return func() {}, nil
	}
	return s.states.enter(r.Context(), "states are being planned or applied")
}

func desired(r *http.Request, b []byte) (engine.Request, error) {
	if err := checkSize(b, maxResources); err != nil {
		return engine.Request{}, err
	}
	d, err := resources.ParseDesired(b)
	if err != nil {
		return engine.Request{}, engine.Invalid(err)
	}
	req := engine.Desired(d)
	req.KeepUnlisted = flag(r, keepUnlisted)
	var given map[string]json.RawMessage
	if err := json.Unmarshal(b, &given); err != nil {
		return engine.Request{}, engine.Invalid(err)
	}
	// Nobody is asked here, so what removes every route has to be written out.
	if _, ok := given["routes"]; !ok && !req.KeepUnlisted {
		return engine.Request{}, refuse(engine.InvalidInput, details{"field": "routes", "constraint": "must be given; [] removes every route"}, "routes is missing")
	}
	return req, nil
}

// An applyAnswer is what an apply has done.
type applyAnswer struct {
	// ID names the apply in the history; empty where there was nothing to do.
	ID       string        `json:"id"`
	Status   string        `json:"status"` // "applied" or "unchanged"
	PlanID   string        `json:"plan_id"`
	Summary  plan.Summary  `json:"summary"`
	Changes  []plan.Change `json:"changes"`
	Warnings []string      `json:"warnings"`
	Duration float64       `json:"duration_ms"`
}

func applied(r *engine.Result) applyAnswer {
	a := applyAnswer{
		ID: r.ID, Status: "applied", PlanID: r.Plan.ID, Summary: r.Plan.Summary, Changes: r.Plan.Changes,
		Warnings: slices.Concat(r.Plan.Warnings, r.Warnings), Duration: milliseconds(r.Duration),
	}
	if r.ID == "" {
		a.Status = "unchanged"
	}
	if a.Changes == nil {
		a.Changes = []plan.Change{}
	}
	if a.Warnings == nil {
		a.Warnings = []string{}
	}
	return a
}

// apply takes a desired state, or a plan as POST /plan has answered it: then exactly that is done, or, where the host has
// changed since, nothing.
func (s *Server) apply(w http.ResponseWriter, r *http.Request) error {
	leave, err := s.enterState(r)
	if err != nil {
		return err
	}
	defer leave()
	b, err := readBody(r)
	if err != nil {
		return err
	}
	if err := checkSize(b, maxItems); err != nil {
		return err
	}
	if isPlan(b) {
		return s.applyPlan(w, r, b)
	}
	req, err := desired(r, b)
	if err != nil {
		return err
	}
	if flag(r, dryRun) {
		return s.planOnly(w, r, req)
	}
	return s.run(w, r, func(ctx context.Context) (*engine.Result, error) { return s.do(ctx, req) })
}

// isPlan reports whether a body is a saved plan: they alone have a format_version.
func isPlan(b []byte) bool {
	var p struct {
		FormatVersion *string `json:"format_version"`
	}
	return json.Unmarshal(b, &p) == nil && p.FormatVersion != nil
}

func (s *Server) applyPlan(w http.ResponseWriter, r *http.Request, b []byte) error {
	if flag(r, keepUnlisted) {
		return refuse(engine.InvalidInput, details{"field": keepUnlisted, "constraint": "must be given when planning"}, "a plan says by itself what it leaves alone")
	}
	p, err := parsePlan(b)
	if err != nil {
		return err
	}
	if flag(r, dryRun) {
		if err := s.eng.CheckStale(r.Context(), p); err != nil {
			return err
		}
		body, err := encodePlan(p, func(p json.RawMessage) any { return dryRunAnswer{true, p} })
		if err != nil {
			return err
		}
		return send(w, http.StatusOK, jsonMedia, body)
	}
	return s.run(w, r, func(ctx context.Context) (*engine.Result, error) {
		return s.change(ctx, p.Operation, func(ctx context.Context) (*engine.Result, error) { return s.eng.Apply(ctx, p) })
	})
}

// operationText is what a plan may be called. It comes to be read in the log, by whoever waits for the lock, and in the
// history.
var operationText = regexp.MustCompile(`^[!-~]([ -~]{0,62}[!-~])?$`)

func parsePlan(b []byte) (*plan.Plan, error) {
	p, err := plan.Parse(b)
	if err == nil && !operationText.MatchString(p.Operation) {
		return nil, refuse(engine.InvalidInput, details{"field": "operation", "constraint": "must be at most 64 characters of ASCII"}, "the plan's operation is none")
	}
	if err == nil {
		return p, nil
	}
	field := ""
	if errors.Is(err, plan.ErrDamaged) {
		field = "id"
	}
	return nil, &engine.Error{Code: engine.InvalidInput, Err: err, Details: details{"field": field, "constraint": "must be a plan as it was made"}}
}

// run does an apply and answers with its result, or, where the client prefers, with each step as it happens.
func (s *Server) run(w http.ResponseWriter, r *http.Request, do func(context.Context) (*engine.Result, error)) error {
	if strings.Contains(r.Header.Get("Accept"), ndjson) {
		return s.stream(w, r, do)
	}
	result, err := do(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, applied(result))
}
