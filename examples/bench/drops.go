package main

import (
	"context"
	"fmt"
	"time"
)

// measureDrops counts the requests that fail while routes are changed, one apply after the other.
//
// On connections that stay open, nginx itself closes what waits for its next request as an old worker retires, whoever
// asked for the reload, and a request may be on its way at that moment. HTTP has clients send it again, which wrk does not:
// it counts a read error. So wrk's count is shown beside that of a client that follows the standard, and beside wrk's under
// as many bare SIGHUPs. From nginx 1.27.4 on generated vhosts have it wait (keepalive_min_timeout), and wrk counts none.
func (b *bench) measureDrops(ctx context.Context) error {
	b.say("%d applies in a row under load, four times…", b.scale.applies)
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
		anew := func(ctx context.Context, d time.Duration) (string, error) {
			l, err := wrk(ctx, url, d, 32, "Host: "+host, "Connection: close")
			return fmt.Sprintf("%d failed of %d", l.broken+l.refused, l.total), err
		}
		standard := func(ctx context.Context, d time.Duration) (string, error) {
			answered, failed := browse(ctx, url, host, 32, d)
			return fmt.Sprintf("%d failed of %d", failed, answered+failed), nil
		}
		kept := func(ctx context.Context, d time.Duration) (string, error) {
			l, err := wrk(ctx, url, d, 32, "Host: "+host)
			return fmt.Sprintf("%d failed of %d, %d cut off", l.refused, l.total, l.broken), err
		}
		apply := func(i int) error { return s.put(routeFields(1, 14_000+i)) }
		for _, l := range []struct {
			what, target string
			change       func(i int) error
			load         load
		}{
			{"applies under load, a new connection for each request", "0 failed", apply, anew},
			{"applies under load, connections kept open", "0 failed", apply, standard},
			{"the same, by a client that sends nothing again (wrk)", "0 from nginx 1.27.4 on", apply, kept},
			{"the same, bare SIGHUPs", "", func(int) error { return h.reload() }, kept},
		} {
			changes, result, err := b.changeUnder(ctx, l.change, l.load)
			if err != nil {
				return err
			}
			b.table.amount(fmt.Sprintf("%d %s", changes, l.what), result, l.target)
		}
		return nil
	})
}

// A load asks for a page again and again, and returns what came of it.
type load func(ctx context.Context, d time.Duration) (string, error)

// changeUnder makes one change after the other while a load runs, and returns how many, and what the load saw.
func (b *bench) changeUnder(ctx context.Context, change func(i int) error, l load) (int, string, error) {
	type outcome struct {
		result string
		err    error
	}
	done := make(chan outcome, 1)
	// An apply beside such a load takes about a third of a second.
	d := time.Duration(b.scale.applies)*400*time.Millisecond + 2*time.Second
	go func() {
		result, err := l(ctx, d)
		done <- outcome{result, err}
	}()
	time.Sleep(500 * time.Millisecond)
	changes := 0
	for start := time.Now(); changes < b.scale.applies && time.Since(start) < d-time.Second; changes++ {
		if err := change(changes); err != nil {
			return 0, "", err
		}
	}
	o := <-done
	return changes, o.result, o.err
}
