package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// checkReady finds out before anything is touched whether nginx runs, and whether its configuration is good as it is.
func (e *Engine) checkReady(ctx context.Context, steps []journal.Step, s *survey) error {
	if !slices.ContainsFunc(steps, func(s journal.Step) bool { return s.Kind == plan.Reload }) {
		return nil
	}
	master, err := e.nginx.Master(s.paths.PIDFile)
	if err != nil {
		return failf(NginxNotRunning, err, "start nginx first (systemctl start nginx): a change counts only when a running nginx has taken it up")
	}
	if other := nginx.Other(s.paths.PIDFile, master); other != 0 {
		return failf(NginxBroken, nginx.ErrTwoMasters, "pids %d and %d: let the upgrade be finished, or backed out, first", other, master)
	}
	if e.knownGood(s) {
		return nil
	}
	err = e.test(ctx, NginxBroken, "nginx's configuration was broken already, before anything was changed; mend it first")
	if refusal, ok := errors.AsType[*nginx.Refusal](err); ok && mends(steps, refusal) {
		return nil
	}
	return err
}

// quotedPath is how nginx names a file that it can't load: a certificate, say, without the place that names it.
var quotedPath = regexp.MustCompile(`"(/[^"]+)"`)

// mends reports whether a step replaces or removes the file that nginx complains of, or the mention of it.
func mends(steps []journal.Step, refusal *nginx.Refusal) bool {
	var missing string
	if m := quotedPath.FindStringSubmatch(refusal.Reason); m != nil {
		missing = m[1]
	}
	return slices.ContainsFunc(steps, func(s journal.Step) bool { return s.ChangesPath() && mendsAt(s, refusal, missing) })
}

// mendsAt is mends for one step that changes a path. The missing file is the one that nginx can't load, if that is it.
func mendsAt(step journal.Step, refusal *nginx.Refusal, missing string) bool {
	base, before, after := filepath.Base(step.Path), step.Before.Content, step.After.Content
	defaultServer := []byte(" default_server")
	switch {
	case step.Path == refusal.File:
		return true
	case missing != "" && bytes.Contains(before, []byte(missing)) && !bytes.Contains(after, []byte(missing)):
		return true
	case missing != "" && base == filepath.Base(missing):
		return true // a link that leads nowhere is mended at the file of its name, or goes
	case strings.HasPrefix(refusal.Reason, `unknown "fpai_`):
		return base == resources.MapsFile // where they are gone, nginx complains of the first site that uses one
	case strings.HasPrefix(refusal.Reason, "a duplicate default server "):
		// Somebody has made a site of their own the default server: the program's gives way.
		return bytes.Count(before, defaultServer) > bytes.Count(after, defaultServer)
	}
	return false
}

// knownGood reports whether this very configuration is the one that nginx -t accepted last.
func (e *Engine) knownGood(s *survey) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tested != nil && s.obs.Holds(e.tested)
}

// noteTested remembers the configuration as it is after an apply, so that the next one need not test it again first.
func (e *Engine) noteTested(a *application, s *survey) {
	if !changesConfiguration(a.steps) {
		return
	}
	now := s.obs.Contents()
	for i, step := range a.steps {
		if !step.ChangesPath() {
			continue
		}
		if step.After.Exists {
			now[step.Path] = a.tx.After(i)
		} else {
			delete(now, step.Path)
		}
	}
	e.noteLoad(a, now)
	e.mu.Lock()
	e.tested = now
	e.mu.Unlock()
}

func changesConfiguration(steps []journal.Step) bool {
	return slices.ContainsFunc(steps, func(s journal.Step) bool { return s.Kind == plan.Verify })
}

// testConfig has nginx test what is on disk now.
func (a *application) testConfig(ctx context.Context) error {
	err := a.e.test(ctx, NginxTestFailed, "nginx refuses the new configuration")
	a.tested = a.tested || err == nil
	return err
}

// reload tells nginx to load what is on disk, once that would survive a power cut.
func (a *application) reload(ctx context.Context) error {
	if err := a.tx.Settle(); err != nil {
		return failf(ConfigWriteFailed, err, "make the change durable")
	}
	r, err := a.e.nginx.StartReload(ctx, a.was.Paths)
	if err != nil {
		return failf(NginxReloadFailed, err, "reload nginx")
	}
	a.reloading = r
	return nil
}

// verify returns once the new configuration, and only that, answers.
func (a *application) verify(ctx context.Context, step plan.Step) error {
	if err := a.reloading.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return failf(Internal, err, "stopped while nginx was loading its configuration")
		}
		return failf(NginxReloadFailed, err, "nginx did not take the new configuration up").with("nginx_output", err.Error())
	}
	a.loaded, _ = a.e.nginx.Generation(a.was.PIDFile) // what is not known is not remembered
	a.loadedAt = time.Now()                           // not the injected clock: it is held against the kernel's time stamps of files
	if len(step.Spec) == 0 {
		return nil
	}
	var v verification
	if err := json.Unmarshal(step.Spec, &v); err != nil {
		return failf(Internal, err, "read the step's spec")
	}
	if err := a.verifyServed(ctx, v.Handshakes); err != nil {
		return err
	}
	return a.verifyAsked(ctx, v.Asks)
}

// bringBack makes a running nginx serve what the files say, now that they are as they were. Files that nginx refuses
// although they are were refused before, too: then it goes on with what it has, and that is reported. Without paths, it
// looks for them.
func (e *Engine) bringBack(ctx context.Context, was place) (err error) {
	if was.PIDFile == "" {
		if was.Paths, err = e.locate(ctx); err != nil {
			return err
		}
	}
	if _, err := e.nginx.Master(was.PIDFile); err != nil {
		e.log.WarnContext(ctx, "nginx does not run, so there is nothing to bring back", "error", err)
		return nil
	}
	if err := e.nginx.Test(ctx); err != nil {
		if _, refused := errors.AsType[*nginx.Refusal](err); refused {
			e.log.ErrorContext(ctx, "the files are as they were, and nginx refuses them", "error", err)
			return nil
		}
		return err
	}
	r, err := e.nginx.StartReload(ctx, was.Paths)
	if err != nil {
		return err
	}
	return r.Wait(ctx)
}

// locate finds where nginx's pid file and log are. They are empty where there is no nginx.
func (e *Engine) locate(ctx context.Context) (nginx.Paths, error) {
	b, err := e.build(ctx)
	if err != nil {
		e.log.WarnContext(ctx, "there is no nginx to bring back", "error", err)
		return nginx.Paths{}, nil
	}
	paths, err := e.paths(e.observer(), b)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return paths, fmt.Errorf("find the nginx to bring back: %w", err)
	}
	return paths, nil
}
