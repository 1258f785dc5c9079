package facade

import (
	"context"
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

// A HostHealth is how nginx and certbot are.
type HostHealth struct {
	Status string      `json:"status"` // healthy, degraded or unhealthy
	Nginx  NginxHealth `json:"nginx"`
	SSL    SSLHealth   `json:"ssl"`
}

// NginxHealth is how nginx is. Its ConfigTestOK is the answer of nginx -t.
type NginxHealth struct {
	Present             bool       `json:"present"`
	Running             bool       `json:"running"`
	ConfigTestOK        bool       `json:"config_test_ok"`
	ConfigTestError     string     `json:"config_test_error,omitempty"`
	LastReloadTimestamp *time.Time `json:"last_reload_timestamp"`
	Version             string     `json:"version"`
	WorkersShuttingDown int        `json:"workers_shutting_down"`
}

// SSLHealth is whether certificates can be had.
type SSLHealth struct {
	CertbotPresent bool                  `json:"certbot_present"`
	CertbotVersion string                `json:"certbot_version,omitempty"`
	LastOperation  *engine.LastOperation `json:"last_operation"`
}

// Health looks at nginx and certbot now, which runs "nginx -t".
func Health(ctx context.Context, eng *engine.Engine) HostHealth {
	p := &probe{eng: eng, now: time.Now}
	return p.sight(ctx).health()
}

func (s sighting) health() HostHealth {
	h := HostHealth{
		Status: s.status(),
		Nginx: NginxHealth{
			Present: s.Nginx.Present, Running: s.Nginx.Running, ConfigTestOK: s.Nginx.Present && s.ConfigError == nil,
			Version: s.Nginx.Version, WorkersShuttingDown: s.Nginx.Draining,
		},
		SSL: SSLHealth{CertbotPresent: s.Certbot.Present, CertbotVersion: s.Certbot.Version, LastOperation: s.Certbot.Last},
	}
	if s.ConfigError != nil {
		h.Nginx.ConfigTestError = clip(s.ConfigError.Error(), maxMessage)
	}
	if at := s.Nginx.LastReload; !at.IsZero() {
		h.Nginx.LastReloadTimestamp = &at
	}
	return h
}

func (s *Server) proxyManagerHealth() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, status := s.probe.fresh().health(), http.StatusOK
		if body.Status == unhealthy {
			status = http.StatusServiceUnavailable
		}
		writeJSON(w, status, body)
	})
}
