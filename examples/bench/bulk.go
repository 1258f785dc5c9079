package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// measureBulk measures an apply of many new routes at once, durable and served at its end, against writing the same files
// and links, one sync for all, nginx's test and its reload.
func (b *bench) measureBulk(ctx context.Context) error {
	n := b.scale.many
	b.say("%d new routes in one apply…", n)
	h, err := newHost(ctx, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	routes := make([]resources.Route, n)
	for i := range routes {
		routes[i] = makeRoute(i, 8000+i)
	}
	durable, err := h.bulkApply(ctx, routes, false)
	if err != nil {
		return err
	}
	volatile, err := h.bulkApply(ctx, routes, true)
	if err != nil {
		return err
	}
	var sites map[string][]byte
	floor := func() (time.Duration, error) {
		h.rest()
		d, err := timed(func() error { return h.writeAll(sites) })
		return d, errors.Join(err, h.removeAll(sites))
	}
	// The floor writes what an apply has written.
	if sites, err = h.sitesOf(ctx, routes); err != nil {
		return err
	}
	if _, err := interleave(1, floor, durable); err != nil {
		return err
	}
	all, err := interleave(b.scale.rounds, floor, durable, volatile)
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("%d new routes in one durable apply", n), all[1], "write, sync, -t, SIGHUP", all[0], "≤ 1.15")
	b.table.compare(fmt.Sprintf("%d new routes: durability and its journal", n), all[1], "without fsync", all[2], "")
	return nil
}

// bulkApply returns what applies the routes to a host that has none, and takes them away again.
func (h *host) bulkApply(ctx context.Context, routes []resources.Route, noSync bool) (func() (time.Duration, error), error) {
	e, err := h.open(noSync)
	return func() (time.Duration, error) {
		h.rest()
		d, err := timed(func() error {
			_, err := e.Do(ctx, h.desired(routes))
			return err
		})
		if err == nil {
			_, err = h.eng.Do(ctx, engine.Destroy())
		}
		return d, err
	}, err
}

// sitesOf returns the files that an apply of the routes writes, by name.
func (h *host) sitesOf(ctx context.Context, routes []resources.Route) (map[string][]byte, error) {
	if _, err := h.eng.Do(ctx, h.desired(routes)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(h.SitesAvailable)
	if err != nil {
		return nil, err
	}
	sites := map[string][]byte{}
	for _, e := range entries {
		if sites[e.Name()], err = os.ReadFile(filepath.Join(h.SitesAvailable, e.Name())); err != nil {
			return nil, err
		}
	}
	_, err = h.eng.Do(ctx, engine.Destroy())
	return sites, err
}

func (h *host) writeAll(sites map[string][]byte) error {
	for name, text := range sites {
		path := filepath.Join(h.SitesAvailable, name)
		if err := errors.Join(os.WriteFile(path, text, 0o644), os.Symlink(path, filepath.Join(h.SitesEnabled, name))); err != nil {
			return err
		}
	}
	// syncfs(2), the cheapest way to have many files on the disk.
	if out, err := exec.Command("sync", "-f", h.SitesAvailable).CombinedOutput(); err != nil {
		return fmt.Errorf("sync: %w: %s", err, out)
	}
	return errors.Join(h.testConfig(), h.reload())
}

func (h *host) removeAll(sites map[string][]byte) error {
	for name := range sites {
		if err := errors.Join(os.Remove(filepath.Join(h.SitesEnabled, name)), os.Remove(filepath.Join(h.SitesAvailable, name))); err != nil {
			return err
		}
	}
	return h.reload()
}
