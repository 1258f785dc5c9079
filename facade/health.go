package facade

import (
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
)

// A healthAnswer is the service's health after the Universal Droplet Contract.
type healthAnswer struct {
	Status        string    `json:"status"` // healthy, degraded or unhealthy
	Timestamp     time.Time `json:"timestamp"`
	UptimeSeconds int64     `json:"uptime_seconds"`
	Version       string    `json:"version"`
	Service       string    `json:"service"`
}

// health answers at once, with what was last seen: it is asked for every few seconds, and must not cost anything.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, healthAnswer{
		Status: s.status(s.probe.seen()), Timestamp: s.opts.Clock().UTC(), UptimeSeconds: s.uptime(),
		Version: engine.Version, Service: s.opts.Identity.ServiceName,
	})
}

func (s *Server) uptime() int64 { return int64(s.opts.Clock().Sub(s.started).Seconds()) }

// status sums up a sighting and what is wrong with the service itself.
func (s *Server) status(seen health.Sighting) string {
	status := seen.Status()
	if status == health.Healthy && s.tokens.unusable() != nil {
		return health.Degraded
	}
	return status
}

// A hostHealth is what is known of the host, and whether the service can be used.
type hostHealth struct {
	health.Report
	// TokenFile says that nobody is admitted. Why is in the log alone: everybody may ask for health.
	TokenFile string `json:"token_file,omitempty"`
}

func (s *Server) proxyManagerHealth(w http.ResponseWriter, _ *http.Request) error {
	seen := s.probe.fresh()
	body, status := hostHealth{Report: seen.Report()}, http.StatusOK
	body.Status = s.status(seen)
	if s.tokens.unusable() != nil {
		body.TokenFile = "unusable: nobody is admitted, and the log says why"
	}
	if body.Status == health.Unhealthy {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, body)
}
