// Package health looks at nginx, certbot and the certificates, and sums up how well they are.
package health

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// The three states of health.
const (
	Healthy   = "healthy"
	Degraded  = "degraded"
	Unhealthy = "unhealthy"
)

// A Sighting is how nginx and certbot were when they were looked at.
type Sighting struct {
	At          time.Time // when the look was over; zero before the first
	Nginx       engine.NginxStatus
	ConfigError error // of nginx -t; nil if it is content
	Certbot     engine.CertbotStatus
	Interrupted bool // an apply was interrupted, and waits for recovery
	// BadCertificates counts those that have expired, or that nginx was seen not to have loaded.
	BadCertificates int
}

// Look runs "nginx -t", if something that it reads has changed, and asks certbot for its version, side by side, and looks at
// the certificates. Each part has a time limit of its own. The time is that of clock, called from this goroutine.
func Look(ctx context.Context, eng *engine.Engine, clock func() time.Time) Sighting {
	var s Sighting
	looks := []func(){
		func() { s.Certbot = eng.Certbot(ctx) }, // Python takes its time to start
		func() {
			if s.Nginx = eng.Nginx(ctx); s.Nginx.Present {
				s.ConfigError = eng.ProbeConfig(ctx)
			}
		},
	}
	_ = host.ForEach(len(looks), len(looks), func(i int) error { looks[i](); return nil })
	s.Interrupted, _ = eng.Interrupted()
	certificates, _ := eng.Certificates(ctx)
	for _, c := range certificates {
		if c.Exists() && (c.Stale() || clock().After(c.NotAfter)) {
			s.BadCertificates++
		}
	}
	s.At = clock()
	return s
}

// Status sums a sighting up: without a running nginx with a good configuration nothing is served for long, and without
// certbot only certificates suffer.
func (s Sighting) Status() string {
	switch {
	case s.At.IsZero():
		return Degraded // not known yet
	case !s.Nginx.Present || !s.Nginx.Running || s.ConfigError != nil:
		return Unhealthy
	case !s.Certbot.Present || s.Interrupted || s.BadCertificates > 0:
		return Degraded
	default:
		return Healthy
	}
}

// A Report is a sighting as it is shown, over HTTP and by the CLI.
type Report struct {
	Status string `json:"status"` // healthy, degraded or unhealthy
	Nginx  Nginx  `json:"nginx"`
	SSL    SSL    `json:"ssl"`
}

// Nginx is how nginx is. Its ConfigTestOK is the answer of nginx -t.
type Nginx struct {
	Present             bool       `json:"present"`
	Running             bool       `json:"running"`
	ConfigTestOK        bool       `json:"config_test_ok"`
	ConfigTestError     string     `json:"config_test_error,omitempty"`
	LastReloadTimestamp *time.Time `json:"last_reload_timestamp"`
	Version             string     `json:"version"`
	WorkersShuttingDown int        `json:"workers_shutting_down"`
}

// SSL is whether certificates can be had.
type SSL struct {
	CertbotPresent bool                  `json:"certbot_present"`
	CertbotVersion string                `json:"certbot_version,omitempty"`
	LastOperation  *engine.LastOperation `json:"last_operation"`
}

// maxMessage bounds what is told of nginx's words, in bytes.
const maxMessage = 4096

// Report returns the sighting as it is shown.
func (s Sighting) Report() Report {
	r := Report{
		Status: s.Status(),
		Nginx: Nginx{
			Present: s.Nginx.Present, Running: s.Nginx.Running, ConfigTestOK: s.Nginx.Present && s.ConfigError == nil,
			Version: s.Nginx.Version, WorkersShuttingDown: s.Nginx.Draining,
		},
		SSL: SSL{CertbotPresent: s.Certbot.Present, CertbotVersion: s.Certbot.Version, LastOperation: s.Certbot.Last},
	}
	if s.ConfigError != nil {
		r.Nginx.ConfigTestError = foreign.Clip(s.ConfigError.Error(), maxMessage)
	}
	if at := s.Nginx.LastReload; !at.IsZero() {
		r.Nginx.LastReloadTimestamp = &at
	}
	return r
}
