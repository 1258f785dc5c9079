package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// undo takes the steps back, in reverse. It goes by what is on the disk, so it may be repeated after a crash.
func (tx *transaction) undo(ctx context.Context) error {
	progress, foreign, err := tx.progress()
	if err != nil {
		return err
	}
	var errs []error
	for i, l := range slices.Backward(tx.begin.Steps) {
		if l.Before == nil {
			errs = append(errs, tx.undoStep(ctx, l.Step))
			continue
		}
		if i >= tx.begun || i > progress[l.Step.Path] {
			continue
		}
		if foreign[l.Step.Path] {
			if err := tx.keep(l.Step.Path, i); err != nil {
				return fmt.Errorf("put aside what somebody else wrote to %s: %w", l.Step.Path, err)
			}
			delete(foreign, l.Step.Path)
		}
		if err := tx.restore(l); err != nil {
			return fmt.Errorf("restore %s: %w", l.Step.Path, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return tx.settle()
}

// progress finds how far each path has come: the index of the last step whose outcome it holds, or -1. A path that holds
// neither what was there before nor what any step made of it was changed by somebody else.
func (tx *transaction) progress() (last map[string]int, foreign map[string]bool, err error) {
	last, foreign = map[string]int{}, map[string]bool{}
	now := map[string]string{}
	initial := map[string]bool{}
	for i, l := range tx.begin.Steps[:tx.begun] {
		path := l.Step.Path
		if l.Before == nil {
			continue
		}
		if _, seen := now[path]; !seen {
			s, err := host.ReadState(tx.e.fs, path)
			if err != nil {
				return nil, nil, err
			}
			now[path], last[path] = s.String(), -1
			initial[path] = host.Same(s, l.Before.state())
			foreign[path] = !initial[path]
		}
		if now[path] == l.After {
			last[path], foreign[path] = i, false
		} else if foreign[path] {
			last[path] = i
		}
	}
	for path, same := range initial {
		if same {
			last[path] = -1
		}
	}
	return last, foreign, nil
}

// restore brings a path back to what it held before one step.
func (tx *transaction) restore(l loggedStep) error {
	fsys, path := tx.e.fs, l.Step.Path
	if err := tx.barrier(l.Step); err != nil {
		return err
	}
	before := l.Before.state()
	now, err := host.ReadState(fsys, path)
	if err != nil {
		return err
	}
	if host.Same(now, before) {
		return nil
	}
	tx.dirty = stageOf(l.Step)
	if before.Exists {
		if kept, err := host.ReadState(fsys, l.Backup); err == nil && host.Same(kept, before) {
			return fsys.Rename(l.Backup, path)
		}
	}
	// The name may be taken by what the step, or an earlier attempt to undo it, did not get to use.
	if err := fsys.Remove(l.Temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if before.Exists && !before.IsLink() {
		if err := host.Create(fsys, l.Temp, before, &plan.State{}, tx.e.sync()); err != nil {
			return err
		}
	}
	if !before.Exists && !now.Exists {
		return nil
	}
	return tx.put(path, before, l.Temp, now.Exists)
}

// keep copies what somebody else wrote into the state directory before it is replaced.
func (tx *transaction) keep(path string, step int) error {
	now, err := host.ReadState(tx.e.fs, path)
	if err != nil || !now.Exists {
		return err
	}
	dir := filepath.Join(tx.e.opts.StateDir, keptDir)
	content := now.Content
	if now.IsLink() {
		content = []byte(now.Target)
	}
	aside := &plan.State{Exists: true, Mode: 0o600, Content: content, UID: -1, GID: -1}
	name := filepath.Join(dir, fmt.Sprintf("%s-%d-%s", tx.begin.ID, step+1, filepath.Base(path)))
	err = host.Create(tx.e.fs, name, aside, &plan.State{}, tx.e.sync())
	// An attempt before this one may have left anything there: it stays, too.
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		err = host.Create(tx.e.fs, fmt.Sprintf("%s.%d", name, n), aside, &plan.State{}, tx.e.sync())
	}
	if err != nil {
		return err
	}
	tx.kept = append(tx.kept, name)
	tx.e.log.Warn("somebody else changed a file meanwhile; what they wrote is kept", "path", path, "kept", name)
	return tx.e.fs.SyncDir(dir)
}

// undoStep takes back a step of a kind of the caller's own, if it may have run.
func (tx *transaction) undoStep(ctx context.Context, step plan.Step) error {
	if !tx.intents[step.ID] {
		return nil
	}
	kind, ok := tx.e.steps[step.Kind]
	if !ok {
		return fmt.Errorf("step %s is of kind %q, which this program does not know: recover with the program that did it", step.ID, step.Kind)
	}
	if err := kind.Undo(ctx, tx.e.host(), step, tx.receipts[step.ID]); err != nil {
		return fmt.Errorf("undo step %s (%s): %w", step.ID, step.Description, err)
	}
	delete(tx.intents, step.ID)
	return nil
}
