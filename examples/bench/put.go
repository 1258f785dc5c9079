package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// measurePuts measures one PUT through the HTTP API against the floor on the same tree, and the floor against itself: that
// is how much the machine's noise alone makes of a ratio.
func (b *bench) measurePuts(ctx context.Context) error {
	for _, n := range b.scale.put {
		b.say("one PUT with %d routes…", n)
		if err := b.onHost(ctx, n, b.measurePut); err != nil {
			return err
		}
	}
	return nil
}

// onHost measures on a host with n routes and the program serving it.
func (b *bench) onHost(ctx context.Context, n int, measure func(ctx context.Context, h *host, s *service) error) error {
	h, err := b.newHost(ctx, n)
	if err != nil {
		return err
	}
	defer h.Close()
	s, err := b.serve(h)
	if err != nil {
		return err
	}
	defer func() { _ = s.stop() }()
	return measure(ctx, h, s)
}

func (b *bench) measurePut(_ context.Context, h *host, s *service) error {
	n := len(h.routes)
	floor, err := h.handWrittenSite()
	if err != nil {
		return err
	}
	put := putter(h, s)
	// The first of each is not counted: files are in no cache yet, and the program has read none.
	if _, err := interleave(1, floor, put); err != nil {
		return err
	}
	all, err := interleave(b.roundsFor(n), floor, put, floor)
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("PUT of one route, %d there", n), all[1], "write, -t, SIGHUP", mean(all[0], all[2]), "≤ 1.05")
	b.table.compare(fmt.Sprintf("noise: the floor against itself, %d", n), all[0], "the same", all[2], "")
	b.costs = append(b.costs, cost{n, all[1].median(), mean(all[0], all[2]).median()})
	return nil
}

func mean(a, b samples) samples {
	m := make(samples, len(a))
	for i := range a {
		m[i] = (a[i] + b[i]) / 2
	}
	return m
}

// handWrittenSite adds a site by hand, and returns what writes it anew as the floor does: the same text each time, since an
// edit by somebody else would have the next PUT test the configuration once more, before it touches anything.
func (h *host) handWrittenSite() (func() (time.Duration, error), error) {
	text, err := h.text(h.routes[0])
	if err != nil {
		return nil, err
	}
	text = handWritten(text, h.routes[0].Name(), "byhand")
	if err := h.Site("byhand.conf", text); err != nil {
		return nil, err
	}
	return func() (time.Duration, error) {
		h.rest()
		return h.floor(filepath.Join(h.SitesAvailable, "byhand.conf"), text)
	}, nil
}

// putter returns what puts a route with another upstream each time.
func putter(h *host, s *service) func() (time.Duration, error) {
	i := 0
	return func() (time.Duration, error) {
		h.rest()
		i++
		return timed(func() error { return s.put(routeFields(len(h.routes)/2, 10_000+i)) })
	}
}

// measureBurst measures many PUTs of new routes at the same time against one PUT.
func (b *bench) measureBurst(_ context.Context, h *host, s *service) error {
	n := len(h.routes)
	round := 0
	burst := func() (time.Duration, error) {
		h.rest()
		round++
		return timed(func() error {
			return together(b.scale.burst, func(i int) error { return s.put(routeFields(n+i, 20_000+1000*round+i)) })
		})
	}
	one := putter(h, s)
	if _, err := interleave(1, one, burst); err != nil { // the first burst adds the routes, later ones change them
		return err
	}
	all, err := interleave(b.scale.rounds, one, burst)
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("%d parallel PUTs, %d routes there", b.scale.burst, n), all[1], "one PUT", all[0], "≤ 5")
	return nil
}

// together calls f for 0 to n-1 at the same time and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
