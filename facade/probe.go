package facade

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// A probe looks at nginx and certbot in the background, because looking means to run them ("nginx -t"): whoever asks
// for health gets what was seen last.
type probe struct {
	eng *engine.Engine
	now func() time.Time

	mu      sync.Mutex
	last    sighting
	running chan struct{} // closed when the look that is being taken is over; nil if none is
}

// A sighting is how nginx and certbot were when they were last looked at.
type sighting struct {
	At          time.Time
	Nginx       engine.NginxStatus
	ConfigError error // of nginx -t; nil if it is content
	Certbot     engine.CertbotStatus
	Interrupted bool // an apply was interrupted, and waits for recovery
}

// The three states of health.
const (
	healthy   = "healthy"
	degraded  = "degraded"
	unhealthy = "unhealthy"
)

// status sums a sighting up: without a running nginx with a good configuration nothing is served for long, and without
// certbot only certificates suffer.
func (s sighting) status() string {
	switch {
	case !s.Nginx.Present || !s.Nginx.Running || s.ConfigError != nil:
		return unhealthy
	case !s.Certbot.Present || s.Interrupted:
		return degraded
	default:
		return healthy
	}
}

const (
	probeInterval = 5 * time.Second
	// probeFresh is how old a sighting may be for an answer about health.
	probeFresh = 2 * time.Second
	// probePatience is how long an answer waits for a fresh one. A thousand routes take nginx 0.1 to 0.2 s to test.
	probePatience = 700 * time.Millisecond
)

func newProbe(eng *engine.Engine, now func() time.Time) *probe {
	p := &probe{eng: eng, now: now}
	p.look()
	return p
}

func (p *probe) run(ctx context.Context) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			p.look()
		}
	}
}

// look starts a look, unless one is being taken, and returns what is closed when it is over.
func (p *probe) look() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return p.running
	}
	done := make(chan struct{})
	p.running = done
	go func() {
		seen := p.sight(context.Background()) // its parts have time limits of their own
		p.mu.Lock()
		p.last, p.running = seen, nil
		p.mu.Unlock()
		close(done)
	}()
	return done
}

func (p *probe) sight(ctx context.Context) sighting {
	s := sighting{Nginx: p.eng.Nginx(ctx), Certbot: p.eng.Certbot(ctx)}
	if !s.Certbot.Present {
		info, err := os.Stat(p.eng.Options().CertbotBin)
		s.Certbot.Present = err == nil && info.Mode()&0o111 != 0
	}
	if s.Nginx.Present {
		s.ConfigError = p.eng.TestConfig(ctx)
	}
	s.Interrupted, _ = p.eng.Interrupted()
	s.At = p.now()
	return s
}

// seen returns the last sighting, and has a new one taken if it is no longer fresh. It waits for the very first only.
func (p *probe) seen() sighting {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	if last.At.IsZero() {
		return p.fresh()
	}
	if p.now().Sub(last.At) > probeFresh {
		p.look()
	}
	return last
}

// fresh returns a sighting that is fresh, if one can be had in short time.
func (p *probe) fresh() sighting {
	p.mu.Lock()
	last := p.last
	p.mu.Unlock()
	if !last.At.IsZero() && p.now().Sub(last.At) <= probeFresh {
		return last
	}
	patience := time.NewTimer(probePatience)
	defer patience.Stop()
	select {
	case <-p.look():
	case <-patience.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}
