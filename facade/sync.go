package facade

import (
	"encoding/json"
	"net/http"

	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/facade/registry"
)

// A syncPlan is what a sync would do.
type syncPlan struct {
	DryRun bool            `json:"dry_run"`
	Plan   json.RawMessage `json:"plan"`
	registry.Result
}

func (s *Server) sync(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet && !flag(r, dryRun) && fromBrowser(r) {
		return refuse(codes.Forbidden, details{"method": r.Method}, "a page or a link may not change anything: use POST, or dry_run=true")
	}
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	y, err := s.prepareSync(r)
	if err != nil {
		return err
	}
	if flag(r, dryRun) {
		return s.answerPlan(w, r, y.Request, func(p json.RawMessage) any { return syncPlan{true, p, y.Result()} })
	}
	if len(y.Request.Routes) > 0 {
		if _, err := s.do(r.Context(), y.Request); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, y.Result())
}

func (s *Server) prepareSync(r *http.Request) (*registry.Sync, error) {
	leave, err := s.states.enter(r.Context(), "states are being applied")
	if err != nil {
		return nil, err
	}
	defer leave()
	return registry.Prepare(r.Context(), s.eng, s.registry)
}
