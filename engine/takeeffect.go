package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// checkReady finds out before anything is touched whether nginx runs, and whether its configuration is good as it is.
func (e *Engine) checkReady(ctx context.Context, p *plan.Plan, s *survey) error {
	reloads := false
	for _, step := range p.Steps {
		reloads = reloads || step.Kind == plan.Reload
	}
	if !reloads {
		return nil
	}
	if _, err := e.nginx.Master(s.paths.PIDFile); err != nil {
		return failf(NginxBroken, err, "start nginx first (systemctl start nginx): a change counts only when a running nginx has taken it up")
	}
	if e.knownGood(s) {
		return nil
	}
	err := e.test(ctx, NginxBroken, "nginx's configuration was broken already, before anything was changed; mend it first")
	if refusal, ok := errors.AsType[*nginx.Refusal](err); ok && mends(p, refusal) {
		return nil
	}
	return err
}

// quotedPath is how nginx names a file that it can't load: a certificate, say, without the place that names it.
var quotedPath = regexp.MustCompile(`"(/[^"]+)"`)

// mends reports whether the plan replaces or removes the file that nginx complains of, or the mention of it.
func mends(p *plan.Plan, refusal *nginx.Refusal) bool {
	var missing string
	if m := quotedPath.FindStringSubmatch(refusal.Reason); m != nil {
		missing = m[1]
	}
	for _, step := range p.Steps {
		if !isPathStep(step) {
			continue
		}
		if refusal.File != "" && step.Path == refusal.File {
			return true
		}
		if missing != "" && bytes.Contains(step.Before.Content, []byte(missing)) && !bytes.Contains(step.After.Content, []byte(missing)) {
			return true
		}
		// A link that leads nowhere is mended at the file of its name, or goes.
		if missing != "" && filepath.Base(step.Path) == filepath.Base(missing) {
			return true
		}
		// Where the shared maps are gone, nginx complains of the first site that uses one of their variables.
		if strings.HasPrefix(refusal.Reason, `unknown "fpai_`) && filepath.Base(step.Path) == resources.MapsFile {
			return true
		}
		// Somebody has made a site of their own the default server: the program's gives way.
		if strings.HasPrefix(refusal.Reason, "a duplicate default server ") &&
			bytes.Count(step.Before.Content, []byte(" default_server")) > bytes.Count(step.After.Content, []byte(" default_server")) {
			return true
		}
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
func (e *Engine) noteTested(tx *transaction, p *plan.Plan, s *survey) {
	if !changesConfiguration(p) {
		return
	}
	now := s.obs.Contents()
	for i, step := range p.Steps {
		if !isPathStep(step) {
			continue
		}
		if step.After.Exists {
			now[step.Path] = tx.begin.Steps[i].After
		} else {
			delete(now, step.Path)
		}
	}
	e.mu.Lock()
	e.tested = now
	e.mu.Unlock()
}

func changesConfiguration(p *plan.Plan) bool {
	for _, step := range p.Steps {
		if step.Kind == plan.Verify {
			return true
		}
	}
	return false
}

// testConfig has nginx test what is on disk now.
func (tx *transaction) testConfig(ctx context.Context) error {
	err := tx.e.test(ctx, NginxTestFailed, "nginx refuses the new configuration")
	tx.tested = tx.tested || err == nil
	return err
}

// reload tells nginx to load what is on disk, once that would survive a power cut.
func (tx *transaction) reload(ctx context.Context) error {
	if err := tx.settle(); err != nil {
		return failf(ConfigWriteFailed, err, "make the change durable")
	}
	r, err := tx.e.nginx.StartReload(tx.paths)
	if err != nil {
		return failf(NginxReloadFailed, err, "reload nginx")
	}
	tx.reloading = r
	return nil
}

// verify returns once the new configuration, and only that, answers.
func (tx *transaction) verify(ctx context.Context, step plan.Step) error {
	if err := tx.reloading.Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return failf(Internal, err, "stopped while nginx was loading its configuration")
		}
		return failf(NginxReloadFailed, err, "nginx did not take the new configuration up").with("nginx_output", err.Error())
	}
	if err := tx.verifyServed(ctx, step); err != nil {
		return err
	}
	return nil
}

// reconverge makes a running nginx serve what the files say. Files that nginx refuses although they are as they were
// before were refused before, too: then it goes on with what it has, and that is reported.
func (tx *transaction) reconverge(ctx context.Context) error {
	if _, err := tx.e.nginx.Master(tx.paths.PIDFile); err != nil {
		tx.e.log.WarnContext(ctx, "nginx does not run, so there is nothing to bring back", "error", err)
		return nil
	}
	if err := tx.e.nginx.Test(ctx); err != nil {
		var refusal *nginx.Refusal
		if errors.As(err, &refusal) {
			tx.e.log.ErrorContext(ctx, "the files are as they were, and nginx refuses them", "error", err)
			return nil
		}
		return err
	}
	r, err := tx.e.nginx.StartReload(tx.paths)
	if err != nil {
		return fmt.Errorf("bring nginx back: %w", err)
	}
	if err := r.Wait(ctx); err != nil {
		return fmt.Errorf("bring nginx back: %w", err)
	}
	return nil
}
