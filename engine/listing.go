package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A listing is the managed routes as they were last seen. Of a thousand routes it looks only at those whose files have
// changed since, so that a server can be asked for all of them as often as anybody likes.
type listing struct {
	mu     sync.Mutex
	watch  *host.Watch // nil: everything is looked at each time
	byName map[string]RouteStatus
	sorted []RouteStatus
	// version counts the changes that were seen, in the files and in what nginx has loaded.
	version uint64
	loaded  string // see [running.key]
}

func (l *listing) routes(e *Engine) ([]RouteStatus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(e); err != nil {
		l.unwatch()
		return nil, err
	}
	return slices.Clone(l.sorted), nil
}

func (l *listing) unwatch() {
	l.watch.Close()
	l.watch = nil
}

// RoutesSince is [Engine.Routes] for whoever keeps what it makes of them: without a change since it returned that version,
// which is 0 before the first time, it returns no routes and the same version again.
func (e *Engine) RoutesSince(ctx context.Context, version uint64) (routes []RouteStatus, now uint64, err error) {
	l := &e.listed
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(e); err != nil {
		l.unwatch()
		return nil, 0, err
	}
	if r, known := e.lookRunning(ctx); known && r.key() != l.loaded {
		l.loaded = r.key()
		l.version++
	}
	if l.version == version {
		return nil, version, nil
	}
	routes = slices.Clone(l.sorted)
	e.compareLoaded(ctx, routes)
	return routes, l.version, nil
}

func (l *listing) refresh(e *Engine) error {
	if l.watch == nil {
		return l.readAll(e)
	}
	changed, ok := l.watch.Changed()
	if !ok {
		return l.readAll(e)
	}
	return l.readAgain(e, changed)
}

// readAll looks at every route. The watch begins before, so that it hears of what changes meanwhile.
func (l *listing) readAll(e *Engine) error {
	l.unwatch()
	if _, real := e.fs.(host.OS); real {
		l.watch = host.NewWatch(e.opts.Nginx.SitesAvailable, e.opts.Nginx.SitesEnabled)
	}
	sites, err := e.readSites(e.observer())
	if err != nil {
		return err
	}
	l.byName = map[string]RouteStatus{}
	for _, t := range sites {
		l.set(t)
	}
	l.sort()
	return nil
}

// readAgain looks at the routes whose files or links have these names.
func (l *listing) readAgain(e *Engine, changed map[string]bool) error {
	o, again := e.observer(), false
	for base := range changed {
		address, ok := resources.AddressOf(base)
		if !ok {
			continue
		}
		t := e.newSite(address)
		if err := e.readSite(o, t); err != nil {
			return err
		}
		l.set(t)
		again = true
	}
	if again {
		l.sort()
	}
	return nil
}

func (l *listing) set(t *site) {
	if t.ours && kindName(t.address) == resources.RouteKind {
		l.byName[t.address] = t.status()
	} else {
		delete(l.byName, t.address)
	}
}

func (l *listing) sort() {
	l.version++
	l.sorted = slices.SortedFunc(maps.Values(l.byName), func(a, b RouteStatus) int { return cmp.Compare(a.Name, b.Name) })
}
