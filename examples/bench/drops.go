package main

import (
	"context"
	"fmt"
	"time"
)

// measureDrops counts the requests that fail while routes are changed, one apply after the other.
//
// On connections that stay open, nginx itself closes what is idle as an old worker retires, whoever asked for the reload,
// and a request may be on its way at that moment. HTTP has clients send it again, which wrk does not: it counts a read
// error. So wrk's own count is shown beside that of a client that follows the standard, and beside a wrk that opens a
// connection for each request.
func (b *bench) measureDrops(ctx context.Context) error {
	b.say("%d applies in a row under load, three times…", b.scale.applies)
	back, port, err := b.newUpstream()
	if err != nil {
		return err
	}
	defer back.Close()
	return b.onHost(ctx, 10, func(ctx context.Context, h *host, s *service) error {
		if err := s.put(routeFields(0, port)); err != nil {
			return err
		}
		url, host := fmt.Sprintf("http://127.0.0.1:%d/", h.HTTPPort), routeFields(0, port).Domain
		loads := []struct {
			name, target string
			run          func(ctx context.Context, d time.Duration) (string, error)
		}{
			{"a new connection for each request", "0 failed", func(ctx context.Context, d time.Duration) (string, error) {
				l, err := wrk(ctx, url, d, 32, "Host: "+host, "Connection: close")
				return fmt.Sprintf("%d failed of %d", l.broken+l.refused, l.total), err
			}},
			{"connections kept open", "0 failed", func(ctx context.Context, d time.Duration) (string, error) {
				answered, failed := browse(ctx, url, host, 32, d)
				return fmt.Sprintf("%d failed of %d", failed, answered+failed), nil
			}},
			{"kept open, wrk's count", "", func(ctx context.Context, d time.Duration) (string, error) {
				l, err := wrk(ctx, url, d, 32, "Host: "+host)
				return fmt.Sprintf("%d failed of %d; %d connections closed while idle", l.refused, l.total, l.broken), err
			}},
		}
		for _, l := range loads {
			applies, result, err := b.applyUnder(ctx, s, l.run)
			if err != nil {
				return err
			}
			b.table.amount(fmt.Sprintf("%d applies in a row under load, %s", applies, l.name), result, l.target)
		}
		return nil
	})
}

// applyUnder changes a route again and again while a load runs, and returns how often, and what the load saw.
func (b *bench) applyUnder(ctx context.Context, s *service, run func(context.Context, time.Duration) (string, error)) (int, string, error) {
	type outcome struct {
		result string
		err    error
	}
	done := make(chan outcome, 1)
	// An apply beside such a load takes about a third of a second.
	d := time.Duration(b.scale.applies)*400*time.Millisecond + 2*time.Second
	go func() {
		result, err := run(ctx, d)
		done <- outcome{result, err}
	}()
	time.Sleep(500 * time.Millisecond)
	applies := 0
	for start := time.Now(); applies < b.scale.applies && time.Since(start) < d-time.Second; applies++ {
		if err := s.put(routeFields(1, 14_000+applies)); err != nil {
			return 0, "", err
		}
	}
	o := <-done
	return applies, o.result, o.err
}
