package facade

import (
	"net/http"

	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/facade/registry"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A syncPlan is what a sync would do.
type syncPlan struct {
	DryRun bool       `json:"dry_run"`
	Plan   *plan.Plan `json:"plan"`
	registry.Result
}

func (s *Server) sync(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet && !flag(r, dryRun) && fromBrowser(r) {
		return refuse(codes.Forbidden, details{"method": r.Method}, "a page or a link may not change anything: use POST, or dry_run=true")
	}
	if err := decodeOptional(r, &struct{}{}); err != nil {
		return err
	}
	y, err := registry.Prepare(r.Context(), s.eng, s.registry)
	if err != nil {
		return err
	}
	if flag(r, dryRun) {
		p, err := s.planned(r.Context(), y.Request)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, syncPlan{true, p, y.Result()})
	}
	if len(y.Request.Routes) > 0 {
		if _, err := s.do(r.Context(), y.Request); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, y.Result())
}
