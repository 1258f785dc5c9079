package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
)

// A probed configuration is what "nginx -t" last said, and of what it said it.
type probed struct {
	mu   sync.Mutex
	said bool // err and at are set
	err  error
	at   time.Time
	configuration
	// watch hears of the sites, of which there may be thousands; nil where it can't. Once what it has told was not made use of,
	// the rest is old.
	watch *host.Watch
	old   bool
}

// A configuration is what nginx reads, so far as it can be known whether it is still the same.
type configuration struct {
	contents map[string]string // of nginx.conf and what it includes
	keys     map[string]string // stamps of certificates and keys
	stamps   map[string]string // of all that is not watched
}

const (
	// probeLifetime bounds how long an answer is believed though no file has changed: nginx resolves names, too.
	probeLifetime = 10 * time.Minute
	probeTries    = 3
	probePause    = 100 * time.Millisecond
)

// ProbeConfig is [Engine.TestConfig] for whoever asks again and again: nginx is run only if something that it reads has
// changed, and never in the middle of a change, of this process or another, whose half-made files it would refuse. While a
// change runs, the answer is the one before it.
func (e *Engine) ProbeConfig(ctx context.Context) error {
	if _, err := e.build(ctx); err != nil {
		return err
	}
	p := &e.probed
	p.mu.Lock()
	defer p.mu.Unlock()
	for try := 1; ; try++ {
		fresh := p.said && e.opts.Clock().Sub(p.at) < probeLifetime
		if p.said && e.midChange() || fresh && p.isUntouched() {
			return p.err
		}
		now, survey := e.readConfiguration(ctx, p)
		if fresh && maps.Equal(p.contents, now.contents) && maps.Equal(p.keys, now.keys) {
			p.configuration, p.old = now, false
			return p.err
		}
		var err error
		// What an apply has had tested is good, unless there was something else than its files to complain of.
		if !fresh || p.err != nil || !keepsAll(p.keys, now.keys) || !e.knownGood(survey) {
			err = e.TestConfig(ctx)
		}
		if _, refused := errors.AsType[*nginx.Refusal](err); err != nil && !refused {
			return err // it was not asked
		}
		if err == nil || try == probeTries || !e.midChange() && p.isQuiet() && now.stands() {
			p.said, p.err, p.at, p.configuration, p.old = true, err, e.opts.Clock(), now, false
			return err
		}
		select { // it may have met a change that was half made
		case <-ctx.Done():
			return err
		case <-time.After(probePause):
		}
	}
}

// readConfiguration finds out what nginx reads. The watch begins before, so that it hears of what changes meanwhile. What
// can't be read is nginx's to complain of.
func (e *Engine) readConfiguration(ctx context.Context, p *probed) (configuration, *survey) {
	p.old = true
	watched := []string{e.opts.Nginx.SitesAvailable, e.opts.Nginx.SitesEnabled}
	if _, real := e.fs.(host.OS); real && p.watch == nil {
		p.watch = host.NewWatch(watched...)
	}
	s := &survey{obs: e.observer()}
	var failed error
	if s.build, failed = e.build(ctx); failed == nil {
		s.obs.Note(e.opts.Nginx.Bin, "version "+s.build.Version.String()) // as a survey does
		if s.sites, failed = e.readSites(s.obs); failed == nil {
			failed = s.readConfiguration(e)
		}
	}
	c := configuration{contents: s.obs.Contents(), keys: stampsOf(slices.Values(s.keyFiles()))}
	c.contents["what could not be read"] = fmt.Sprint(failed, s.warnings)
	c.stamps = maps.Clone(c.keys)
	for _, f := range s.obs.Fingerprints() {
		if p.watch == nil || !slices.Contains(watched, f.Path) && !slices.Contains(watched, filepath.Dir(f.Path)) {
			c.stamps[f.Path] = stamp(f.Path)
		}
	}
	c.stamps[e.opts.Nginx.Bin] = stamp(e.opts.Nginx.Bin)
	return c, s
}

// isUntouched reports whether nothing has changed since nginx was asked. It costs a look at each file but the sites'.
func (p *probed) isUntouched() bool {
	return p.watch != nil && !p.old && p.isQuiet() && p.stands()
}

// isQuiet reports whether the watch has nothing new to tell; without one, that can't be said and is hoped.
func (p *probed) isQuiet() bool {
	if p.watch == nil {
		return true
	}
	changed, ok := p.watch.Changed()
	if !ok {
		p.watch = nil
	}
	return ok && len(changed) == 0
}

// stands reports whether the files that nobody watches are still the same.
func (c configuration) stands() bool { return maps.Equal(c.stamps, stampsOf(maps.Keys(c.stamps))) }

// keyFiles are the certificates and keys that sites name.
func (s *survey) keyFiles() []string {
	files := slices.Collect(maps.Keys(s.certificates))
	for _, t := range s.sites {
		if t.managed.Certificate != nil {
			files = append(files, t.managed.Certificate.Fullchain, t.managed.Certificate.PrivateKey)
		}
	}
	return slices.DeleteFunc(files, func(f string) bool { return !strings.HasPrefix(f, "/") }) // a variable, say
}

// keepsAll reports whether what was there is still the same. More may have come.
func keepsAll(was, now map[string]string) bool {
	for path, stamp := range was {
		if s, there := now[path]; there && s != stamp {
			return false
		}
	}
	return true
}

func stampsOf(paths func(func(string) bool)) map[string]string {
	stamps := map[string]string{}
	for path := range paths {
		stamps[path] = stamp(path)
	}
	return stamps
}

// stamp differs whenever the file that a path leads to does.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "absent"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Sprint(info.Size(), info.ModTime())
	}
	return fmt.Sprint(st.Dev, st.Ino, st.Size, st.Mode, st.Mtim, st.Ctim)
}

// midChange reports whether a change is being made, by this process or another: the files may be neither as they were nor
// as they will be.
func (e *Engine) midChange() bool {
	if len(e.writing) > 0 {
		return true
	}
	_, writes := e.Writer()
	return writes
}
