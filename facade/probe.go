package facade

import (
	"context"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/facade/health"
)

// A probe looks at nginx and certbot in the background, because looking means to run them ("nginx -t"): whoever asks
// for health gets what was seen last.
type probe struct {
	sight func(context.Context) health.Sighting
	now   func() time.Time

	mu      sync.Mutex
	last    health.Sighting
	running chan struct{} // closed when the look that is being taken is over; nil if none is
}

const (
	probeInterval = 5 * time.Second
	// probeFresh is how old a sighting may be for an answer about health.
	probeFresh = 2 * time.Second
	// probePatience is how long an answer waits for a fresh one. A thousand routes take nginx 0.1 to 0.2 s to test.
	probePatience = 700 * time.Millisecond
	// firstGlance keeps GET /health within its 100 ms also when the server has only just been started; firstPatience is for
	// answers that have more time.
	firstGlance   = 50 * time.Millisecond
	firstPatience = 15 * time.Second
)

// newProbe returns a probe that is taking its first look.
func newProbe(sight func(context.Context) health.Sighting, now func() time.Time) *probe {
	p := &probe{sight: sight, now: now}
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

// seen returns the last sighting at once, and has a new one taken if it is no longer fresh.
func (p *probe) seen() health.Sighting {
	last := p.latest()
	switch {
	case last.At.IsZero():
		return p.await(firstGlance)
	case p.now().Sub(last.At) > probeFresh:
		p.look()
	}
	return last
}

// fresh returns a sighting that is fresh, if one can be had in short time. Before the very first there is nothing else to
// tell, so that one is waited for.
func (p *probe) fresh() health.Sighting {
	last := p.latest()
	switch {
	case last.At.IsZero():
		return p.await(firstPatience)
	case p.now().Sub(last.At) > probeFresh:
		return p.await(probePatience)
	}
	return last
}

func (p *probe) latest() health.Sighting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// await has a look taken and waits for it, but no longer than that.
func (p *probe) await(patience time.Duration) health.Sighting {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-p.look():
	case <-t.C:
	}
	return p.latest()
}
