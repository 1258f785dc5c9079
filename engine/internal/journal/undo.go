package journal

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

// Undo takes the steps back, in reverse, but for those of kinds that want the files back first: they come last. It goes by
// what is on the disk, so it may be repeated after a crash. Steps of kinds that nobody knows are an *UnknownKindsError,
// and then nothing is changed: only the program that did them can keep the order.
func (tx *Transaction) Undo(ctx context.Context) error {
	if err := tx.checkKinds(); err != nil {
		return err
	}
	if tx.resumed {
		// What the program did last before it was killed may not be durable. It must be, before anything is built on it:
		// else a link that is put back now could outlive the file that it leads to.
		if err := tx.syncDirs(); err != nil {
			return err
		}
	}
	progress, foreign, err := tx.progress()
	if err != nil {
		return err
	}
	var errs []error
	var last []plan.Step
	for i, l := range slices.Backward(tx.begin.Steps) {
		if l.Before == nil {
			if tx.undoneLast(l.Step) {
				last = append(last, l.Step)
				continue
			}
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
	if err := tx.Settle(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, step := range last {
		errs = append(errs, tx.undoStep(ctx, step))
	}
	return errors.Join(errs...)
}

// Undone ends a transaction whose steps are all taken back, and says why in the history. A full disk does not make it
// fail: then there is no entry in the history, and nothing else is lost.
func (tx *Transaction) Undone(why string) error {
	if err := tx.file.append(Record{Type: RolledBack, At: tx.store.Clock().UTC(), Result: Undone, Error: why}); err != nil {
		return tx.Abandon()
	}
	return tx.Finish()
}

// checkKinds refuses to undo steps of kinds that this program does not know.
func (tx *Transaction) checkKinds() error {
	var unknown []string
	for _, l := range tx.begin.Steps {
		if _, known := tx.store.Kind(l.Step.Kind); tx.intents[l.Step.ID] && !known && !slices.Contains(unknown, l.Step.Kind) {
			unknown = append(unknown, l.Step.Kind)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return &UnknownKindsError{ID: tx.begin.ID, Kinds: unknown, Program: tx.begin.Program}
}

// undoneLast reports whether a step is taken back once all files are as they were.
func (tx *Transaction) undoneLast(step plan.Step) bool {
	kind, ok := tx.store.Kind(step.Kind)
	return ok && kind.UndoAfterFiles()
}

// undoStep takes back a step of a [Kind], if it may have run.
func (tx *Transaction) undoStep(ctx context.Context, step plan.Step) error {
	if !tx.intents[step.ID] {
		return nil
	}
	kind, _ := tx.store.Kind(step.Kind) // see checkKinds
	if err := kind.Undo(ctx, step, tx.receipts[step.ID]); err != nil {
		return fmt.Errorf("undo step %s (%s): %w", step.ID, step.Description, err)
	}
	delete(tx.intents, step.ID)
	return nil
}

// progress finds how far each path has come: the index of the last step whose outcome it holds, or -1. A path that holds
// neither what was there before nor what any step made of it was changed by somebody else.
func (tx *Transaction) progress() (last map[string]int, foreign map[string]bool, err error) {
	last, foreign = map[string]int{}, map[string]bool{}
	now := map[string]string{}
	initial := map[string]bool{}
	for i, l := range tx.begin.Steps[:tx.begun] {
		path := l.Step.Path
		if l.Before == nil {
			continue
		}
		if _, seen := now[path]; !seen {
			s, err := host.ReadState(tx.store.FS, path)
			if err != nil {
				return nil, nil, &ReadError{err}
			}
			now[path], last[path] = s.String(), -1
			initial[path] = host.Same(s, l.Before.State())
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
func (tx *Transaction) restore(l Logged) error {
	fsys, path := tx.store.FS, l.Step.Path
	if err := tx.barrier(l.Step); err != nil {
		return err
	}
	before := l.Before.State()
	now, err := host.ReadState(fsys, path)
	if err != nil {
		return &ReadError{err}
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
		if err := host.Create(fsys, l.Temp, before, &plan.State{}, tx.store.Sync); err != nil {
			return err
		}
	}
	if !before.Exists && !now.Exists {
		return nil
	}
	return tx.put(path, before, l.Temp, now.Exists)
}

// keep copies what somebody else wrote into the state directory before it is replaced.
func (tx *Transaction) keep(path string, step int) error {
	s := tx.store
	now, err := host.ReadState(s.FS, path)
	if err != nil || !now.Exists {
		return err
	}
	content := now.Content
	if now.IsLink() {
		content = []byte(now.Target)
	}
	aside := &plan.State{Exists: true, Mode: 0o600, Content: content, UID: -1, GID: -1}
	first := filepath.Join(s.kept(), fmt.Sprintf("%s-%d-%s", tx.begin.ID, step+1, filepath.Base(path)))
	name := first
	err = host.Create(s.FS, name, aside, &plan.State{}, s.Sync)
	// An attempt before this one may have left anything there: it stays, too.
	for n := 2; errors.Is(err, fs.ErrExist); n++ {
		name = fmt.Sprintf("%s.%d", first, n)
		err = host.Create(s.FS, name, aside, &plan.State{}, s.Sync)
	}
	if err != nil {
		return err
	}
	tx.kept = append(tx.kept, name)
	s.Logger.Warn("somebody else changed a file meanwhile; what they wrote is kept", "path", path, "kept", name)
	return s.FS.SyncDir(s.kept())
}
