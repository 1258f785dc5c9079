package facade

import (
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
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
func (s *Server) health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, healthAnswer{
			Status: s.probe.seen().status(), Timestamp: s.opts.Clock().UTC(), UptimeSeconds: s.uptime(),
			Version: engine.Version, Service: s.opts.Identity.ServiceName,
		})
	})
}

func (s *Server) uptime() int64 { return int64(s.opts.Clock().Sub(s.started).Seconds()) }

// A hostHealth is how nginx and certbot are.
type hostHealth struct {
	Status string      `json:"status"` // healthy, degraded or unhealthy
	Nginx  nginxHealth `json:"nginx"`
	SSL    sslHealth   `json:"ssl"`
}

type nginxHealth struct {
	Present             bool       `json:"present"`
	Running             bool       `json:"running"`
	ConfigTestOK        bool       `json:"config_test_ok"`
	ConfigTestError     string     `json:"config_test_error,omitempty"`
	LastReloadTimestamp *time.Time `json:"last_reload_timestamp"`
	Version             string     `json:"version"`
	WorkersShuttingDown int        `json:"workers_shutting_down"`
}

type sslHealth struct {
	CertbotPresent bool                  `json:"certbot_present"`
	CertbotVersion string                `json:"certbot_version,omitempty"`
	LastOperation  *engine.LastOperation `json:"last_operation"`
}

func (s *Server) proxyManagerHealth() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := s.probe.fresh()
		body := hostHealth{
			Status: seen.status(),
			Nginx: nginxHealth{
				Present: seen.Nginx.Present, Running: seen.Nginx.Running, ConfigTestOK: seen.Nginx.Present && seen.ConfigError == nil,
				Version: seen.Nginx.Version, WorkersShuttingDown: seen.Nginx.Draining,
			},
			SSL: sslHealth{CertbotPresent: seen.Certbot.Present, CertbotVersion: seen.Certbot.Version, LastOperation: seen.Certbot.Last},
		}
		if seen.ConfigError != nil {
			body.Nginx.ConfigTestError = clip(seen.ConfigError.Error(), maxMessage)
		}
		if at := seen.Nginx.LastReload; !at.IsZero() {
			body.Nginx.LastReloadTimestamp = &at
		}
		status := http.StatusOK
		if body.Status == unhealthy {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, body)
	})
}
