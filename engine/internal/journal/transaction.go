package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Step is a step of a plan with what its path holds before and after; both are nil for one that changes no path.
type Step struct {
	plan.Step
	Before, After *plan.State
	// Dirs are the directories above the path that have to be made for it, each after those above it.
	Dirs []string
}

// ChangesPath reports whether the step makes its path hold something else. The transaction does such steps itself.
func (s Step) ChangesPath() bool { return s.After != nil }

// A Transaction does the steps of one plan and can take them back: those of this process from what it remembers, those of
// a process that died from the journal. Either way it goes by what the journal's first record says.
type Transaction struct {
	store *Store
	begin Begin
	steps []Step // to do; none where another process did them
	file  *file  // nil until Start
	// receipts are those of steps whose effect can't be read back from the disk; intents those that were begun.
	receipts map[string]json.RawMessage
	intents  map[string]bool

	resumed bool       // another process did the steps
	end     RecordType // of the record that ended it, if one did
	begun   int        // path steps before this one may have changed something
	made    int        // so many of the directories may be of its own making
	skipped []string   // ids of steps that were left out
	kept    []string   // files with what somebody else wrote meanwhile
	dirty   stage      // where changes are that are not durable yet
}

// A stage is a directory with the type of the resources that are being changed there.
type stage struct{ dir, kind string }

func stageOf(s plan.Step) stage {
	kind, _, _ := strings.Cut(s.Address, ".")
	return stage{filepath.Dir(s.Path), kind}
}

// New lays out what will be done, names of temporary files included. The caller says who asks for what under which ID;
// the rest of b is filled in. Nothing is written.
func (s *Store) New(b Begin, steps []Step) *Transaction {
	b.Format, b.StartedAt, b.Program = format, s.Clock().UTC(), s.Program
	b.Steps = make([]Logged, len(steps))
	for i, step := range steps {
		l := Logged{Step: step.Step}
		l.Step.Diff = "" // what it replaced is in Before
		b.Dirs = append(b.Dirs, step.Dirs...)
		if step.ChangesPath() {
			l.Before, l.After = new(State(*step.Before)), step.After.String()
			l.Temp, l.Backup = tempName(b.ID, i, step.Path), backupName(b.ID, i, step.Path)
		}
		b.Steps[i] = l
	}
	return s.transaction(b, steps)
}

func (s *Store) transaction(b Begin, steps []Step) *Transaction {
	return &Transaction{store: s, begin: b, steps: steps, receipts: map[string]json.RawMessage{}, intents: map[string]bool{}}
}

// ID names the apply, and Operation is what asked for it.
func (tx *Transaction) ID() string        { return tx.begin.ID }
func (tx *Transaction) Operation() string { return tx.begin.Operation }

// After describes, as plan.State.String does, what a step leaves at its path.
func (tx *Transaction) After(i int) string { return tx.begin.Steps[i].After }

// Ended is the type of the record that ended the transaction: empty if none did, and it has to be taken back.
func (tx *Transaction) Ended() RecordType { return tx.end }

// Kept are the files into which undo put what somebody else had written meanwhile.
func (tx *Transaction) Kept() []string { return tx.kept }

// Skip notes that a step is left out.
func (tx *Transaction) Skip(id string) { tx.skipped = append(tx.skipped, id) }

// Start makes all that is needed for undo durable, and then the directories that are missing, and the new files beside their
// places. Nothing else that is visible changes.
func (tx *Transaction) Start() error {
	s := tx.store
	var err error
	tx.file, err = create(s.FS, s.journals(), Record{Type: Begun, At: tx.begin.StartedAt, Begin: &tx.begin}, s.Sync)
	if err != nil {
		return err
	}
	if err := tx.makeDirs(); err != nil {
		return err
	}
	return tx.writeTemps()
}

// writeTemps writes the new files beside their places and makes their content durable.
func (tx *Transaction) writeTemps() error {
	var files []int
	for i, s := range tx.steps {
		if s.ChangesPath() && s.After.Exists && !s.After.IsLink() {
			files = append(files, i)
		}
	}
	syncAll, err := tx.syncLater(files)
	if err != nil {
		return err
	}
	each := syncAll == nil && tx.store.Sync
	err = host.ForEach(len(files), tx.store.writers(each), func(n int) error {
		i := files[n]
		return host.Create(tx.store.FS, tx.begin.Steps[i].Temp, tx.steps[i].After, tx.steps[i].Before, each)
	})
	if syncAll != nil {
		err = errors.Join(err, syncAll())
	}
	return err
}

// syncLater returns what makes many new files durable at once, or nil if each has to be synced by itself: they are few,
// or in several directories, as those of resources of one's own may be.
func (tx *Transaction) syncLater(files []int) (func() error, error) {
	if !tx.store.Sync || len(files) < tx.store.ManyFiles || len(files) == 0 {
		return nil, nil
	}
	dir := filepath.Dir(tx.steps[files[0]].Path)
	for _, i := range files {
		if filepath.Dir(tx.steps[i].Path) != dir {
			return nil, nil
		}
	}
	syncAll, err := tx.store.FS.SyncLater(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return syncAll, err
}

// Change does a step that changes a path. What is replaced stays beside its place under another name until the apply has
// ended, so that taking it back needs no space on the disk. A path that is not as the plan found it is a *ChangedError.
func (tx *Transaction) Change(i int) error {
	fsys, step, l := tx.store.FS, tx.steps[i], tx.begin.Steps[i]
	if !step.ChangesPath() {
		return fmt.Errorf("step %s (%s) changes no path", step.ID, step.Kind)
	}
	if err := tx.barrier(step.Step); err != nil {
		return err
	}
	now, err := host.ReadState(fsys, step.Path)
	if err != nil {
		return &ReadError{err}
	}
	if !host.Same(now, step.Before) {
		return &ChangedError{step.Path}
	}
	tx.dirty, tx.begun = stageOf(step.Step), i+1
	if step.Before.Exists {
		if err := fsys.Link(step.Path, l.Backup); err != nil && !refusesLinks(err) {
			return err
		}
	}
	return tx.put(step.Path, step.After, l.Temp, now.Exists)
}

// refusesLinks reports whether a file can't have a second name: the file system has none, or the kernel guards against them
// (fs.protected_hardlinks). Then the journal's copy serves. On a full disk it would not, so that is no such case.
func refusesLinks(err error) bool {
	for _, refusal := range []error{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EMLINK, syscall.EXDEV} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// put makes a path hold a state. A file's content is in temp already.
func (tx *Transaction) put(path string, want *plan.State, temp string, replace bool) error {
	fsys := tx.store.FS
	switch {
	case !want.Exists:
		return fsys.Remove(path)
	case want.IsLink() && !replace:
		return fsys.Symlink(want.Target, path)
	case want.IsLink():
		if err := fsys.Symlink(want.Target, temp); err != nil {
			return err
		}
		return fsys.Rename(temp, path)
	case !replace:
		// A link, unlike a rename, never replaces what somebody else may have put there this very moment.
		err := fsys.Link(temp, path)
		if err == nil {
			return fsys.Remove(temp)
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		return fsys.Rename(temp, path)
	default:
		return fsys.Rename(temp, path)
	}
}

// barrier makes the changes before durable ahead of this one if they are in another directory, or of another type of
// resource: of the changes to one directory that are not durable, a power cut may keep any and drop the others. So no
// link ever leads to a file that is not there, and no route is enabled without what routes share.
func (tx *Transaction) barrier(next plan.Step) error {
	if tx.dirty == stageOf(next) {
		return nil
	}
	return tx.Settle()
}

// Settle makes every change so far durable: whoever is told to load the files may do it after a power cut, too.
func (tx *Transaction) Settle() error {
	if tx.dirty.dir == "" || !tx.store.Sync {
		return nil
	}
	if err := tx.store.FS.SyncDir(tx.dirty.dir); err != nil {
		return err
	}
	tx.dirty = stage{}
	return nil
}

// Do does a step of a [Kind], with its intent and receipt in the journal.
func (tx *Transaction) Do(ctx context.Context, i int) error {
	step := tx.begin.Steps[i].Step
	kind, ok := tx.store.Kind(step.Kind)
	if !ok {
		return &UnknownKindsError{ID: tx.begin.ID, Kinds: []string{step.Kind}}
	}
	if err := tx.file.append(Record{Type: Intended, At: tx.store.Clock().UTC(), Step: step.ID}); err != nil {
		return err
	}
	tx.intents[step.ID] = true
	receipt, err := kind.Do(ctx, tx.steps[i].Step)
	if err != nil {
		return err
	}
	tx.receipts[step.ID] = receipt
	return tx.file.append(Record{Type: Did, At: tx.store.Clock().UTC(), Step: step.ID, Receipt: receipt})
}

// Commit is the moment from which on the apply has happened. If it fails and [ErrUncertain] is in the chain, nobody
// knows whether it has.
func (tx *Transaction) Commit(result Result) error {
	if err := tx.Settle(); err != nil {
		return err
	}
	if err := tx.file.append(Record{Type: Committed, At: tx.store.Clock().UTC(), Result: result, Skipped: tx.skipped}); err != nil {
		return err
	}
	tx.end = Committed
	return nil
}

// Finish removes what the transaction left beside the files and puts the journal into the history. All of it can be
// done again, so after an error the journal stays, and the next run tries again.
func (tx *Transaction) Finish() error {
	if err := tx.clean(); err != nil {
		return err
	}
	return tx.store.archive(tx.file.path, tx.begin.ID)
}

// Abandon removes the journal, and what its transaction left, where there is nothing to tell in the history: nothing was
// done, or all of it is undone.
func (tx *Transaction) Abandon() error {
	if tx.file == nil {
		return nil // it did not come to a journal
	}
	if err := tx.clean(); err != nil {
		return err
	}
	return tx.file.remove()
}

// Close closes the journal and leaves it as it is, for another run.
func (tx *Transaction) Close() error { return tx.file.close() }

// clean removes what the transaction left beside the files, and closes the journal. The directories that it made stay with
// what it has committed, and else go.
func (tx *Transaction) clean() error {
	var errs []error
	for _, l := range tx.begin.Steps {
		for _, name := range l.leftovers() {
			if err := tx.store.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	if tx.end != Committed {
		errs = append(errs, tx.removeDirs())
	}
	// Also where nothing was left: a program that was killed may have removed it, and not have come to this.
	return errors.Join(append(errs, tx.syncDirs(), tx.file.close())...)
}
