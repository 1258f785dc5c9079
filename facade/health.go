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
		Status: s.probe.seen().Status(), Timestamp: s.opts.Clock().UTC(), UptimeSeconds: s.uptime(),
		Version: engine.Version, Service: s.opts.Identity.ServiceName,
	})
}

func (s *Server) uptime() int64 { return int64(s.opts.Clock().Sub(s.started).Seconds()) }

func (s *Server) proxyManagerHealth(w http.ResponseWriter, _ *http.Request) error {
	body, status := s.probe.fresh().Report(), http.StatusOK
	if body.Status == health.Unhealthy {
		status = http.StatusServiceUnavailable
	}
	return writeJSON(w, status, body)
}
