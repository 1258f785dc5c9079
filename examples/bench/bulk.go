package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// measureBulk measures an apply of many new routes at once, durable and served at its end, against writing the same files
// and links, one sync for all, nginx's test and its reload.
// Every round has a new host.
func (b *bench) measureBulk(ctx context.Context) error {
	n := b.scale.many
	b.say("%d new routes in one apply…", n)
	routes := make([]resources.Route, n)
	for i := range routes {
		routes[i] = makeRoute(i, 8000+i)
	}
	var first *host // its files stay when it is closed
	onNewHost := func(change func(h *host) (time.Duration, error)) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			h, err := b.newHost(ctx, 0)
			if err != nil {
				return 0, err
			}
			defer h.Close()
			if first == nil {
				first = h
			}
			return change(h)
		}
	}
	apply := func(noSync bool) func() (time.Duration, error) {
		return onNewHost(func(h *host) (time.Duration, error) {
			e, err := h.open(noSync)
			if err != nil {
				return 0, err
			}
			return timed(func() error {
				_, err := e.Do(ctx, h.desired(routes))
				return err
			})
		})
	}
	// The first round is not counted, and its apply writes what the floor writes.
	if _, err := apply(false)(); err != nil {
		return err
	}
	floor := onNewHost(func(h *host) (time.Duration, error) {
		sites, err := first.sitesFor(h)
		if err != nil {
			return 0, err
		}
		return timed(func() error { return h.writeAll(sites) })
	})
	if _, err := floor(); err != nil {
		return err
	}
	all, err := interleave(b.roundsFor(n), floor, apply(false), apply(true))
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("%d new routes in one durable apply", n), all[1], "write, sync, -t, SIGHUP", all[0], "≤ 1.15")
	b.table.compare(fmt.Sprintf("%d new routes: durability and its journal", n), all[1], "without fsync", all[2], "")
	return nil
}

// sitesFor returns a host's files by name, as they have to be on another.
func (h *host) sitesFor(other *host) (map[string]string, error) {
	entries, err := os.ReadDir(h.SitesAvailable)
	if err != nil {
		return nil, err
	}
	moved := strings.NewReplacer(h.Dir, other.Dir,
		fmt.Sprint(h.HTTPPort), fmt.Sprint(other.HTTPPort), fmt.Sprint(h.HTTPSPort), fmt.Sprint(other.HTTPSPort))
	sites := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(h.SitesAvailable, e.Name()))
		if err != nil {
			return nil, err
		}
		sites[e.Name()] = moved.Replace(string(text))
	}
	return sites, nil
}

func (h *host) writeAll(sites map[string]string) error {
	for name, text := range sites {
		path := filepath.Join(h.SitesAvailable, name)
		if err := errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Symlink(path, filepath.Join(h.SitesEnabled, name))); err != nil {
			return err
		}
	}
	// syncfs(2), the cheapest way to have many files on the disk.
	if out, err := exec.Command("sync", "-f", h.SitesAvailable).CombinedOutput(); err != nil {
		return fmt.Errorf("sync: %w: %s", err, out)
	}
	return errors.Join(h.testConfig(), h.reload())
}
