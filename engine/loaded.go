package engine

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// That the files are right says nothing of what visitors get: nginx serves what it has loaded. So the two are compared. nginx
// read its configuration before its workers were started, and a file that was changed since, in whatever way, has not been
// loaded; a backup that is restored keeps the times of its files' content, but not this one. What the engine itself has had
// loaded it remembers more exactly.

// A load is a reload of nginx that was seen through. It counts as long as those workers run.
type load struct {
	Generation string    `json:"generation"`
	At         time.Time `json:"at"`
	Sites      uint64    `json:"sites"` // digest of the enabled sites
}

func (e *Engine) loadPath() string { return filepath.Join(e.opts.State.Dir, "loaded.json") }

// noteLoad remembers what nginx has loaded. To lose it costs exactness and nothing else.
func (e *Engine) noteLoad(a *application, contents map[string]string) {
	if a.loaded.Key == "" {
		return
	}
	b, err := json.Marshal(load{Generation: a.loaded.Key, At: a.loadedAt, Sites: e.sitesDigest(contents)})
	if err == nil {
		err = host.Replace(e.fs, e.loadPath(), b, false)
	}
	if err != nil {
		e.log.Warn("what nginx has loaded could not be remembered", "error", err)
	}
}

// A running is what is known of the nginx that runs.
type running struct {
	stopped    bool // there is none
	generation nginx.Generation
	seen       *load // nil unless it is of this generation
}

// key is the same as long as nothing is loaded anew.
func (r running) key() string {
	switch {
	case r.stopped:
		return "stopped"
	case r.seen != nil:
		return r.generation.Key + r.seen.At.String()
	default:
		return r.generation.Key
	}
}

// lookRunning is running for whoever has not looked at the host yet. While a change is being made, files are ahead of nginx
// for a moment, and nothing is known.
func (e *Engine) lookRunning(ctx context.Context) (r running, known bool) {
	if e.midChange() {
		return running{}, false
	}
	b, err := e.build(ctx)
	if err != nil {
		return running{}, false // health says so
	}
	paths, _ := e.paths(e.observer(), b) // without its configuration nginx has the pid file it was built with
	r, err = e.running(paths)
	if errors.Is(err, nginx.ErrNotRunning) {
		return running{stopped: true}, true
	}
	return r, err == nil
}

// running looks at what nginx has loaded. Without a running one the error has [nginx.ErrNotRunning] in its chain.
func (e *Engine) running(paths nginx.Paths) (running, error) {
	g, err := e.nginx.Generation(paths.PIDFile)
	if err != nil || g.Key == "" {
		return running{}, err
	}
	r := running{generation: g}
	if b, err := e.fs.ReadFile(e.loadPath()); err == nil {
		var l load
		if json.Unmarshal(b, &l) == nil && l.Generation == g.Key {
			r.seen = &l
		}
	}
	return r, nil
}

// hasLoaded reports whether nginx has loaded a site that was changed then. What is not known is believed.
func (r running) hasLoaded(changedAt time.Time) bool {
	switch {
	case r.stopped:
		return false
	case r.generation.Key == "" || changedAt.IsZero():
		return true
	case r.seen != nil:
		return !changedAt.After(r.seen.At)
	default:
		return !changedAt.After(r.generation.Since)
	}
}

// sitesDigest is a sum over what nginx reads of managed files: which enabled links and files there are, and what they hold.
func (e *Engine) sitesDigest(contents map[string]string) uint64 {
	var sum uint64
	enabled := e.opts.Nginx.SitesEnabled + "/" + resources.FilePrefix
	for path, state := range contents {
		if !strings.HasPrefix(path, enabled) {
			continue
		}
		h := fnv.New64a()
		for _, text := range []string{path, state, contents[host.Join(e.opts.Nginx.SitesAvailable, filepath.Base(path))]} {
			_, _ = h.Write([]byte(text)) // a hash never fails
		}
		sum += h.Sum64()
	}
	return sum
}

// planLoad plans a reload where nginx has not loaded what is wanted, though the files are right.
func (pl *planner) planLoad() {
	if pl.reload || !pl.wantsServed() {
		return
	}
	r, err := pl.e.running(pl.s.paths)
	why, kind := "nginx has not loaded it", NotLoaded
	if errors.Is(err, nginx.ErrNotRunning) {
		why, kind = "nginx is not running", NotServed
		pl.warnings = append(pl.warnings, "nginx is not running, so nothing is served: start it (systemctl start nginx), and apply then")
	}
	for i, c := range pl.changes {
		t := pl.s.sites[c.Address]
		if c.Action != plan.Unchanged || t == nil || !t.enabled || kind == NotLoaded && r.hasLoaded(t.changedAt) {
			continue
		}
		pl.changes[i] = plan.Change{Address: c.Address, Action: plan.Update, Reason: why, Drifted: true}
		pl.drifted[c.Address], pl.reload = kind, true
		pl.askChanged(pl.wanted[c.Address], t.managed.Certificate != nil)
	}
	if !pl.req.KeepUnlisted && r.seen != nil && r.seen.Sites != pl.e.sitesDigest(pl.s.obs.Contents()) && !pl.reload {
		pl.reload = true
		pl.warnings = append(pl.warnings, "nginx has loaded other sites than those that are there: it is told to load them")
	}
}

// wantsServed reports whether a wanted site is to be served.
func (pl *planner) wantsServed() bool {
	for _, r := range pl.wanted {
		if s, ok := r.(Site); ok && s.Enabled() {
			return true
		}
	}
	return !pl.req.KeepUnlisted
}
