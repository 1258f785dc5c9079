package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// measureNoChange measures a plan that finds nothing to do against reading and hashing the same files. A fresh engine is
// what the command line has; the server's remembers the files it has read, and only looks whether they are the same.
func (b *bench) measureNoChange(ctx context.Context, h *host) error {
	n, req := len(h.routes), h.desired(h.routes)
	lasting, err := h.open(true)
	if err != nil {
		return err
	}
	planWith := func(open func() (*engine.Engine, error)) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			return timed(func() error {
				e, err := open()
				if err != nil {
					return err
				}
				p, err := e.Plan(ctx, req)
				if err == nil && !p.Empty() {
					err = fmt.Errorf("there is something to do: %d steps", len(p.Steps))
				}
				return err
			})
		}
	}
	fresh := planWith(func() (*engine.Engine, error) { return h.open(true) })
	again := planWith(func() (*engine.Engine, error) { return lasting, nil })
	read := func() (time.Duration, error) { return timed(h.readAndHash) }
	if _, err := interleave(1, read, fresh, again); err != nil {
		return err
	}
	all, err := interleave(b.scale.rounds, read, fresh, again)
	if err != nil {
		return err
	}
	target := fmt.Sprintf("≤ %d ms", 50*n/1000)
	b.table.compare(fmt.Sprintf("plan without a change, %d routes", n), all[1], "reading and hashing the files", all[0], target)
	b.table.compare(fmt.Sprintf("the same in a server, %d routes", n), all[2], "reading and hashing the files", all[0], target)
	return nil
}

// readAndHash reads every site and every link, one after the other.
func (h *host) readAndHash() error {
	entries, err := os.ReadDir(h.SitesAvailable)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(h.SitesAvailable, e.Name()))
		_ = sha256.Sum256(b)
		errs = append(errs, err)
	}
	links, err := os.ReadDir(h.SitesEnabled)
	if err != nil {
		return err
	}
	for _, e := range links {
		_, err := os.Readlink(filepath.Join(h.SitesEnabled, e.Name()))
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
