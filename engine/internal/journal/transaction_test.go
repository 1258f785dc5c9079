package journal

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

func TestACommittedTransactionLeavesWhatWasPlannedAndAnEntry(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(w.steps(t))
	is.NoErr(run(tx))
	is.NoErr(tx.Finish())
	sameTree(t, w.tree(true), after(t))
	entries, err := w.store().History()
	is.NoErr(err)
	is.Equal(len(entries), 1)
	is.Equal(entries[0].Result, Applied)
	is.Equal(entries[0].Program, "/usr/bin/own")
	names, err := w.store().Interrupted()
	is.NoErr(err)
	is.Equal(len(names), 0)
}

// after is what the steps make of the world.
func after(t testing.TB) map[string]string {
	t.Helper()
	w := newWorld(t)
	tx := w.begin(w.steps(t))
	must(t, run(tx))
	must(t, tx.Finish())
	return w.tree(true)
}

func TestStartChangesNothingThatCanBeSeen(t *testing.T) {
	for _, many := range []int{1, 100} { // one sync for all new files, and one for each
		is := is.New(t)
		w := newWorld(t)
		w.many = many
		before := w.tree(true)
		tx := w.begin(w.steps(t))
		is.NoErr(tx.Start())
		sameTree(t, w.tree(false), before)
		is.NoErr(tx.Abandon())
		sameTree(t, w.tree(true), before)
	}
}

func TestUndoTakesBackWhatWasDone(t *testing.T) {
	for done := range 5 {
		is := is.New(t)
		w := newWorld(t)
		before := w.tree(true)
		tx := w.begin(w.steps(t))
		is.NoErr(tx.Start())
		for i := range done {
			is.NoErr(tx.Change(i))
		}
		is.NoErr(tx.Undo(context.Background()))
		is.NoErr(tx.Undone("because"))
		sameTree(t, w.tree(true), before)
		entry, err := w.store().Entry(anID)
		is.NoErr(err)
		is.Equal(entry.Result, Undone)
		is.Equal(entry.Error, "because")
	}
}

// A power cut, at each call that changes the disk and with all or nothing of what was not durable, ends as before or as after.
func TestAPowerCutEndsAsBeforeOrAsAfter(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	before, wanted := w.tree(true), after(t)
	var moments []*crashfs.FS
	w.disk.Before = func(op crashfs.Op) error {
		if op.Changes {
			moments = append(moments, w.disk.Clone())
		}
		return nil
	}
	tx := w.begin(w.steps(t))
	is.NoErr(run(tx))
	is.NoErr(tx.Finish())
	w.disk.Before = nil
	ends := map[string]int{}
	for _, disk := range append(moments, w.disk) {
		none := make([]int, len(disk.Choices()))
		all := make([]int, len(none))
		for i := range all {
			all[i] = 1
		}
		for _, image := range []*crashfs.FS{disk.Crash(none), disk.Crash(all), disk.Clone()} {
			died := w.on(image)
			_, err := died.recover()
			is.NoErr(err)
			want, end := before, "before"
			if entry, err := died.store().Entry(anID); err == nil && entry.Result == Applied {
				want, end = wanted, "after"
			}
			sameTree(t, died.tree(true), want)
			ends[end]++
		}
	}
	is.True(ends["before"] > 20)
	is.True(ends["after"] > 3)
}

func TestWhatSomebodyElseChangedIsNotReplaced(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(w.steps(t))
	is.NoErr(tx.Start())
	w.write(t, files+"/old", "by hand\n")
	err := tx.Change(0)
	var changed *ChangedError
	is.True(errors.As(err, &changed))
	is.Equal(changed.Path, files+"/old")
	is.NoErr(tx.Undo(context.Background()))
	is.NoErr(tx.Undone(""))
	b, err := w.disk.ReadFile(files + "/old")
	is.NoErr(err)
	is.Equal(string(b), "by hand\n")
}

func TestWhatSomebodyElseWroteOverAChangeIsKeptAside(t *testing.T) {
	is := is.New(t)
	w, _, _ := interrupted(t)
	w.write(t, files+"/old", "by hand\n")
	w.write(t, stateDir+"/kept/"+anID+"-1-old", "of an attempt before\n")
	kept, err := w.recover()
	is.NoErr(err)
	is.Equal(len(kept), 1)
	b, err := w.disk.ReadFile(kept[0])
	is.NoErr(err)
	is.Equal(string(b), "by hand\n")
	sameTree(t, w.tree(true), newWorld(t).tree(true))
}

func TestAFullDiskFailsAnApplyAndNotItsUndo(t *testing.T) {
	is := is.New(t)
	before := newWorld(t).tree(true)
	full := func(op crashfs.Op) error {
		if slices.Contains([]string{"Create", "Write", "Mkdir", "Link", "Symlink"}, op.Name) {
			return syscall.ENOSPC
		}
		return nil
	}
	for n := 0; ; n++ { // the disk is full from the n-th call on
		w := newWorld(t)
		calls := 0
		w.disk.Before = func(op crashfs.Op) error {
			if calls++; calls > n {
				return full(op)
			}
			return nil
		}
		tx := w.begin(w.steps(t))
		err := run(tx)
		if err == nil {
			is.True(n > 20) // it went through as the disk was not full yet
			return
		}
		is.True(errors.Is(err, syscall.ENOSPC))
		if tx.file == nil {
			is.NoErr(tx.Abandon())
		} else {
			is.NoErr(tx.Undo(context.Background()))
			is.NoErr(tx.Undone(err.Error()))
		}
		w.disk.Before = nil
		sameTree(t, w.tree(true), before)
		names, err := w.store().Interrupted()
		is.NoErr(err)
		is.Equal(len(names), 0)
	}
}

func TestACommitThatMayHaveHappenedIsUncertain(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(nil)
	is.NoErr(tx.Start())
	w.disk.Before = func(op crashfs.Op) error {
		if op.Name == "Sync" || op.Name == "Truncate" {
			return syscall.EIO
		}
		return nil
	}
	err := tx.Commit(Applied)
	is.True(errors.Is(err, ErrUncertain))
	is.True(errors.Is(err, syscall.EIO))
	w.disk.Before = nil
	is.True(errors.Is(tx.Commit(Applied), ErrUncertain)) // and no later record follows what may be half of one
}

func TestAReadThatFailsSaysSo(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(w.steps(t))
	is.NoErr(tx.Start())
	w.disk.Before = func(op crashfs.Op) error {
		if op.Name == "ReadFile" {
			return syscall.EIO
		}
		return nil
	}
	var failed *ReadError
	is.True(errors.As(tx.Change(0), &failed))
}

// own adds a step of a kind of somebody's own behind the others.
func (w *world) own(steps []Step, kind string, k noting) []Step {
	k.disk = func() *crashfs.FS { return w.disk }
	w.kinds[kind] = k
	return append(steps, Step{Step: plan.Step{ID: kind, Kind: kind}})
}

func TestKindsAreUndoneInReverseAndThoseThatLoadFilesOnceTheyAreBack(t *testing.T) {
	for _, killed := range []bool{false, true} {
		for late, held := range map[bool]string{false: "new", true: "old"} {
			is := is.New(t)
			w := newWorld(t)
			var notes []string
			steps := w.own(w.steps(t)[:1], "own.load", noting{file: files + "/old", late: late, notes: &notes})
			tx := w.begin(steps)
			is.NoErr(tx.Start())
			is.NoErr(tx.Change(0))
			is.NoErr(tx.Do(context.Background(), 1))
			if killed {
				w.disk = w.disk.Clone()
				_, err := w.recover()
				is.NoErr(err)
			} else {
				is.NoErr(tx.Undo(context.Background()))
				is.NoErr(tx.Undone(""))
			}
			is.Equal(notes, []string{"do new", `undo"receipt" ` + held})
		}
	}
}

func TestAStepThatMayHaveRunIsUndoneWithoutAReceipt(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	var notes []string
	tx := w.begin(w.own(nil, "own.fails", noting{file: files + "/old", notes: &notes, err: errors.New("no")}))
	is.NoErr(tx.Start())
	is.True(tx.Do(context.Background(), 0) != nil)
	_, err := w.on(w.disk.Clone()).recover()
	is.NoErr(err)
	is.Equal(notes, []string{"do old", "undo old"})
}

func TestAJournalWithUnknownKindsNamesTheProgramAndIsLeftAlone(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	var notes []string
	tx := w.begin(w.own(w.steps(t)[:1], "own.kind", noting{file: files + "/old", notes: &notes}))
	is.NoErr(tx.Start())
	is.NoErr(tx.Change(0))
	is.NoErr(tx.Do(context.Background(), 1))

	other := &world{disk: w.disk.Clone(), kinds: map[string]Kind{}}
	tree := other.disk.Tree("/")
	_, err := other.recover()
	var unknown *UnknownKindsError
	is.True(errors.As(err, &unknown))
	is.Equal(unknown.Kinds, []string{"own.kind"})
	is.True(strings.Contains(err.Error(), "own.kind") && strings.Contains(err.Error(), "/usr/bin/own"))
	sameTree(t, other.disk.Tree("/"), tree)

	_, err = w.on(other.disk).recover() // the program that did it goes on from there
	is.NoErr(err)
	sameTree(t, w.on(other.disk).tree(true), newWorld(t).tree(true))
}

func TestTheHistoryIsPruned(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	for _, id := range []string{"20250101T000000.000000-a", "20251231T230000.000000-b", "20251231T233000.000000-c", "20251231T235900.000000-d"} {
		w.write(t, path.Join(stateDir, "history", id), "")
	}
	w.store().Prune(Limits{Age: 2 * time.Hour, Applies: 2, Bytes: 1 << 30})
	is.Equal(len(w.disk.Tree(path.Join(stateDir, "history"))), 2) // the newest
	_, err := w.disk.Lstat(path.Join(stateDir, "history", "20251231T235900.000000-d"))
	is.NoErr(err)
}
