package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A transaction does the steps of one plan and can take them back: those of this process from what it remembers, those of
// a process that died from the journal. Either way it goes by what the journal's first record says.
type transaction struct {
	e       *Engine
	begin   begin
	journal *journal
	// receipts are those of steps whose effect can't be read back from the disk; intents those that were begun.
	receipts map[string]json.RawMessage
	intents  map[string]bool

	begun     int      // path steps before this one may have changed something
	ended     string   // the type of the record that ended it, if one did
	skipped   []string // ids of steps that were left out
	kept      []string // files with what somebody else wrote meanwhile
	dirty     stage    // where changes are that are not durable yet
	tested    bool     // nginx accepted the new files, so by now anybody may have made it load them
	paths     nginx.Paths
	reloading nginx.Reload
	missing   map[string]bool // steps whose certificate could not be had
	changed   bool            // something was done that can be seen
}

// A stage is a directory with the type of the resources that are being changed there.
type stage struct{ dir, kind string }

func stageOf(s plan.Step) stage {
	kind, _, _ := strings.Cut(s.Address, ".")
	return stage{filepath.Dir(s.Path), kind}
}

func (e *Engine) transactionOf(b begin) *transaction {
	return &transaction{e: e, begin: b, receipts: map[string]json.RawMessage{}, intents: map[string]bool{}, missing: map[string]bool{}}
}

// newTransaction lays out what will be done, names of temporary files included.
func (e *Engine) newTransaction(ctx context.Context, p *plan.Plan, s *survey) *transaction {
	id := e.opts.NewID()
	tx := e.transactionOf(begin{
		Format: journalFormat, ID: id, PlanID: p.ID, Operation: p.Operation, Actor: e.actor(ctx),
		StartedAt: e.opts.Clock().UTC(), Summary: p.Summary, Changes: p.Changes,
	})
	tx.paths = s.paths
	for i, step := range p.Steps {
		l := loggedStep{Step: step}
		l.Step.Diff = "" // what it replaced is in Before
		if isPathStep(step) {
			l.Before, l.After = logState(step.Before), step.After.String()
			l.Temp, l.Backup = tempName(id, i, step.Path), backupName(id, i, step.Path)
		}
		tx.begin.Steps = append(tx.begin.Steps, l)
	}
	return tx
}

func isPathStep(s plan.Step) bool { return s.After != nil }

// start makes all that is needed for undo durable, and then the new files beside their places. Nothing visible changes.
func (tx *transaction) start(steps []plan.Step) error {
	dir := filepath.Join(tx.e.opts.StateDir, journalDir)
	var err error
	tx.journal, err = startJournal(tx.e.fs, dir, record{Type: "begin", At: tx.begin.StartedAt, Begin: &tx.begin}, !tx.e.opts.NoSync)
	if err != nil {
		return err
	}
	return tx.writeTemps(steps)
}

// writeTemps writes the new files beside their places and makes their content durable.
func (tx *transaction) writeTemps(steps []plan.Step) error {
	var files []int
	for i, s := range steps {
		if isPathStep(s) && s.After.Exists && !s.After.IsLink() {
			files = append(files, i)
		}
	}
	syncAll, err := tx.syncLater(steps, files)
	if err != nil {
		return err
	}
	each := syncAll == nil && !tx.e.opts.NoSync
	err = host.ForEach(len(files), tx.e.writers(each), func(n int) error {
		i := files[n]
		return host.Create(tx.e.fs, tx.begin.Steps[i].Temp, steps[i].After, steps[i].Before, each)
	})
	if syncAll != nil {
		err = errors.Join(err, syncAll())
	}
	return err
}

// syncLater returns what makes many new files durable at once, or nil if each has to be synced by itself: they are few,
// or in several directories, as those of resources of one's own may be.
func (tx *transaction) syncLater(steps []plan.Step, files []int) (func() error, error) {
	if tx.e.opts.NoSync || len(files) < tx.e.manyFiles {
		return nil, nil
	}
	dir := filepath.Dir(steps[files[0]].Path)
	for _, i := range files {
		if filepath.Dir(steps[i].Path) != dir {
			return nil, nil
		}
	}
	syncAll, err := tx.e.fs.SyncLater(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil
	}
	return syncAll, err
}

// writers is how many files are written side by side. The kernel makes one file of a directory after the other, but fsync
// is waiting, and the disk takes several at a time.
func (e *Engine) writers(sync bool) int {
	if _, real := e.fs.(host.OS); !real {
		return 1 // a simulated file system wants the same order every time
	}
	if !sync {
		return host.Readers
	}
	return 16
}

// change does one path step. What is replaced stays beside its place under another name until the apply has ended, so
// that taking it back needs no space on the disk.
func (tx *transaction) change(step plan.Step, i int) error {
	fsys, l := tx.e.fs, tx.begin.Steps[i]
	if err := tx.barrier(step); err != nil {
		return err
	}
	now, err := host.ReadState(fsys, step.Path)
	if err != nil {
		return err
	}
	if !host.Same(now, step.Before) {
		return failf(StalePlan, nil, "%s was changed by somebody else meanwhile", step.Path).with("changed", []string{step.Path})
	}
	tx.dirty, tx.begun = stageOf(step), i+1
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
func (tx *transaction) put(path string, want *plan.State, temp string, replace bool) error {
	fsys := tx.e.fs
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
func (tx *transaction) barrier(next plan.Step) error {
	if tx.dirty == stageOf(next) {
		return nil
	}
	return tx.settle()
}

// settle makes every change so far durable.
func (tx *transaction) settle() error {
	if tx.dirty.dir == "" || tx.e.opts.NoSync {
		return nil
	}
	if err := tx.e.fs.SyncDir(tx.dirty.dir); err != nil {
		return err
	}
	tx.dirty = stage{}
	return nil
}

// commit is the moment from which on the apply has happened.
func (tx *transaction) commit(result string) error {
	if err := tx.settle(); err != nil {
		return err
	}
	return tx.journal.append(record{Type: "commit", At: tx.e.opts.Clock().UTC(), Result: result, Skipped: tx.skipped})
}

// finish removes what the transaction left beside the files and puts the journal into the history. All of it can be
// done again, so after an error the journal stays, and the next run tries again.
func (tx *transaction) finish() error {
	if err := tx.clean(); err != nil {
		return err
	}
	return tx.e.archive(tx.journal.path, tx.begin.ID)
}

// clean removes what the transaction left beside the files, and closes the journal.
func (tx *transaction) clean() error {
	var errs []error
	for _, l := range tx.begin.Steps {
		for _, name := range l.leftovers() {
			if err := tx.e.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	// Also where nothing was left: a program that was killed may have removed it, and not have come to this.
	return errors.Join(append(errs, tx.syncDirs(), tx.journal.close())...)
}

// syncDirs makes durable what all the directories of the transaction hold.
func (tx *transaction) syncDirs() error {
	if tx.e.opts.NoSync {
		return nil
	}
	dirs := map[string]bool{}
	for _, l := range tx.begin.Steps {
		if l.Before != nil {
			dirs[filepath.Dir(l.Step.Path)] = true
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := tx.e.fs.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// do runs a step of a registered kind, with its intent and receipt in the journal.
func (tx *transaction) do(ctx context.Context, step plan.Step) error {
	kind, ok := tx.e.steps[step.Kind]
	if !ok {
		return failf(InvalidInput, nil, "no step kind %q is registered (Options.Kinds)", step.Kind)
	}
	if _, builtin := kind.(stepFunc); builtin {
		_, err := kind.Do(ctx, tx.e.host(), step)
		return err
	}
	now := func() time.Time { return tx.e.opts.Clock().UTC() }
	if err := tx.journal.append(record{Type: "intent", At: now(), Step: step.ID}); err != nil {
		return failf(ConfigWriteFailed, err, "write the journal")
	}
	tx.intents[step.ID] = true
	receipt, err := kind.Do(ctx, tx.e.host(), step)
	if err != nil {
		return err
	}
	tx.receipts[step.ID] = receipt
	if err := tx.journal.append(record{Type: "done", At: now(), Step: step.ID, Receipt: receipt}); err != nil {
		return failf(ConfigWriteFailed, err, "write the journal")
	}
	return nil
}
