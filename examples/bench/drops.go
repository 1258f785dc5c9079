package main

import (
	"context"
	"fmt"
	"time"
)

// measureDrops counts the requests that fail while routes are changed, one apply after the other: on connections that stay
// open, and on a new one for each request.
func (b *bench) measureDrops(ctx context.Context) error {
	b.say("%d applies in a row under load…", b.scale.applies)
	back, port, err := newUpstream()
	if err != nil {
		return err
	}
	defer back.Close()
	return b.onHost(ctx, 10, func(ctx context.Context, h *host, s *service) error {
		if err := s.put(routeFields(0, port)); err != nil {
			return err
		}
		for _, kind := range []struct{ name, header string }{
			{"connections kept open", "X-Bench: 1"}, {"a new connection for each request", "Connection: close"},
		} {
			if err := b.countDrops(ctx, h, s, kind.name, kind.header); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *bench) countDrops(ctx context.Context, h *host, s *service, name, header string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		load
		error
	}
	done := make(chan outcome, 1)
	// Under this load an apply takes up to a third of a second.
	d := time.Duration(b.scale.applies)*300*time.Millisecond + 2*time.Second
	go func() {
		l, err := wrk(ctx, fmt.Sprintf("http://127.0.0.1:%d/", h.HTTPPort), d, 32, "Host: app-00000.example.com", header)
		done <- outcome{l, err}
	}()
	time.Sleep(500 * time.Millisecond)
	applies := 0
	for start := time.Now(); applies < b.scale.applies && time.Since(start) < d-time.Second; applies++ {
		if err := s.put(routeFields(1, 14_000+applies)); err != nil {
			return err
		}
	}
	o := <-done
	if o.error != nil {
		return o.error
	}
	b.table.amount(fmt.Sprintf("%d applies in a row under load, %s", applies, name), fmt.Sprintf("%d of %d requests failed", o.failed, o.total), "0")
	if o.failed > 0 {
		b.say("%s", o.report)
	}
	return nil
}
