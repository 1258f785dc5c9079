package main

import (
	"context"
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// measureMany measures what needs a host with many routes, and measureMost what is asked at ten times as many.
func (b *bench) measureMany(ctx context.Context) error {
	b.say("with %d routes: bursts, plans, durability, memory…", b.scale.many)
	return b.onHost(ctx, b.scale.many, func(ctx context.Context, h *host, s *service) error {
		if err := b.measureMemory(h, s); err != nil {
			return err
		}
		if err := b.measureBurst(ctx, h, s); err != nil {
			return err
		}
		h, err := b.newHost(ctx, b.scale.many) // as it is without the burst's routes
		if err != nil {
			return err
		}
		defer h.Close()
		if err := b.measureNoChange(ctx, h); err != nil {
			return err
		}
		if err := b.measureDurability(ctx, h); err != nil {
			return err
		}
		return b.measureTest(h)
	})
}

func (b *bench) measureMost(ctx context.Context) error {
	b.say("with %d routes: plans, memory, nginx -t…", b.scale.most)
	return b.onHost(ctx, b.scale.most, func(ctx context.Context, h *host, s *service) error {
		if err := b.measureMemory(h, s); err != nil {
			return err
		}
		if err := s.stop(); err != nil {
			return err
		}
		if _, err := h.eng.Do(ctx, h.desired(h.routes)); err != nil { // take back the PUT
			return err
		}
		if err := b.measureNoChange(ctx, h); err != nil {
			return err
		}
		return b.measureTest(h)
	})
}

// measureDurability measures an apply of one route against the same without a single fsync: what the journal and the power
// cut that it is for cost.
func (b *bench) measureDurability(ctx context.Context, h *host) error {
	port := 30_000
	apply := func(noSync bool) (func() (time.Duration, error), error) {
		e, err := h.open(noSync)
		put := func() error {
			h.rest()
			port++
			_, err := e.Do(ctx, engine.Put(makeRoute(len(h.routes)/2, port)))
			return err
		}
		return func() (time.Duration, error) {
			// The first one tests what the other engine has left before it changes anything: that is not the journal's cost.
			if err := put(); err != nil {
				return 0, err
			}
			h.rest()
			return timed(put)
		}, err
	}
	durable, err := apply(false)
	if err != nil {
		return err
	}
	volatile, err := apply(true)
	if err != nil {
		return err
	}
	if _, err := interleave(1, volatile, durable); err != nil {
		return err
	}
	all, err := interleave(b.scale.rounds, volatile, durable)
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("a durable apply, %d routes there", len(h.routes)), all[1], "without fsync", all[0], "≤ 1.10")
	return nil
}

// measureMemory looks at the server's memory once it has listed all routes and changed one.
func (b *bench) measureMemory(h *host, s *service) error {
	n := len(h.routes)
	for i := range 3 {
		if _, err := s.call("GET", "/proxies", nil); err != nil {
			return err
		}
		if err := s.put(routeFields(0, 12_000+i)); err != nil {
			return err
		}
	}
	now, peak, err := s.memory()
	if err != nil {
		return err
	}
	target := "≤ 30 MB"
	if n >= 10_000 {
		target = "≤ 150 MB"
	}
	b.table.amount(fmt.Sprintf("memory of serve, %d routes", n), fmt.Sprintf("%.0f MB (at most %.0f)", now, peak), target)
	return nil
}
