package journal

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

const (
	newDir  = "/etc/new"
	deepDir = newDir + "/deep"
)

// deepSteps write below two directories that are not there yet, and into one that is.
func (w *world) deepSteps(t testing.TB) []Step {
	deep := w.change(t, "s1", deepDir+"/made", plan.File([]byte("made\n"), 0o644))
	deep.Dirs = []string{newDir, deepDir}
	return []Step{
		deep,
		w.change(t, "s2", newDir+"/link", plan.Link("deep/made")),
		w.change(t, "s3", files+"/old", plan.File([]byte("new\n"), 0o600)),
	}
}

func TestDirectoriesAreMadeAndStayWithWhatIsCommitted(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(w.deepSteps(t))
	is.NoErr(run(tx))
	is.NoErr(tx.Finish())
	b, err := w.disk.ReadFile(newDir + "/deep/made")
	is.NoErr(err)
	is.Equal(string(b), "made\n")
	is.True(strings.HasPrefix(w.tree(true)[newDir], "drwxr-xr-x"))
}

func TestDirectoriesGoWithWhatIsUndone(t *testing.T) {
	for done := range 4 {
		is := is.New(t)
		w := newWorld(t)
		before := w.tree(true)
		tx := w.begin(w.deepSteps(t))
		is.NoErr(tx.Start())
		for i := range done {
			is.NoErr(tx.Change(i))
		}
		is.NoErr(tx.Undo(context.Background()))
		is.NoErr(tx.Undone("because"))
		sameTree(t, w.tree(true), before)
	}
}

// A power cut at each call, and another at each call of the recovery from it, leave no directory behind, or all.
func TestAPowerCutLeavesNoDirectoryHalfWay(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	before := w.tree(true)
	moments := w.moments(func(w *world) {
		tx := w.begin(w.deepSteps(t))
		is.NoErr(run(tx))
		is.NoErr(tx.Finish())
	})
	wanted := w.tree(true)
	ends := map[bool]int{}
	check := func(died *world) {
		_, err := died.recover()
		is.NoErr(err)
		entry, err := died.store().Entry(anID)
		applied := err == nil && entry.Result == Applied
		want := before
		if applied {
			want = wanted
		}
		sameTree(t, died.tree(true), want)
		ends[applied]++
	}
	for _, image := range images(moments) {
		again := w.on(image.Clone()).moments(func(w *world) {
			_, err := w.recover()
			is.NoErr(err)
		})
		for _, second := range images(again) {
			check(w.on(second))
		}
	}
	is.True(ends[false] > 100)
	is.True(ends[true] > 10)
}

// moments are the disks before each call that changes them, and after all.
func (w *world) moments(f func(*world)) []*crashfs.FS {
	var moments []*crashfs.FS
	w.disk.Before = func(op crashfs.Op) error {
		if op.Changes {
			moments = append(moments, w.disk.Clone())
		}
		return nil
	}
	f(w)
	w.disk.Before = nil
	return append(moments, w.disk.Clone())
}

// images are what a power cut, with all or nothing of what was not durable, or a kill leaves of disks.
func images(moments []*crashfs.FS) (list []*crashfs.FS) {
	for _, disk := range moments {
		none := make([]int, len(disk.Choices()))
		all := make([]int, len(none))
		for i := range all {
			all[i] = 1
		}
		list = append(list, disk.Crash(none), disk.Crash(all), disk.Clone())
	}
	return list
}

func TestADirectoryInWhichSomebodyElsePutSomethingStays(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	tx := w.begin(w.deepSteps(t))
	is.NoErr(tx.Start())
	is.NoErr(tx.Change(0))
	w.write(t, newDir+"/theirs", "by hand\n")
	is.NoErr(tx.Undo(context.Background()))
	is.NoErr(tx.Undone("because"))
	is.Equal(len(w.disk.Tree(newDir)), 1) // theirs
}

func TestADirectoryThatSomebodyElseMadeIsNotTakenForOnesOwn(t *testing.T) {
	for _, theirs := range []string{newDir, deepDir} {
		is := is.New(t)
		w := newWorld(t)
		before := w.tree(true)
		tx := w.begin(w.deepSteps(t))
		w.disk.Before = func(op crashfs.Op) error {
			if op.Name == "Mkdir" && op.Path == theirs {
				w.disk.Before = nil
				must(t, w.disk.Mkdir(theirs, 0o700)) // a moment earlier
			}
			return nil
		}
		err := tx.Start()
		changed, ok := errors.AsType[*ChangedError](err)
		is.True(ok)
		is.Equal(changed.Path, theirs)
		is.NoErr(tx.Abandon())
		tree := w.tree(true)
		is.True(strings.HasPrefix(tree[theirs], "drwx------"))
		delete(tree, theirs)
		delete(tree, newDir) // holds theirs
		sameTree(t, tree, before)
	}
}

func TestAJournalThatNamesADirectoryOfNobodyIsNotBelieved(t *testing.T) {
	is := is.New(t)
	for _, dir := range []string{"etc", "/etc/../usr", ""} {
		b := Begin{Format: format, ID: anID, Dirs: []string{dir}}
		is.True(errors.Is(b.check(), ErrDamaged))
	}
}

func TestAJournalFromBeforeThereWereDirectoriesIsUndone(t *testing.T) {
	is := is.New(t)
	w, _, b := interrupted(t)
	is.True(!strings.Contains(string(b), `"dirs"`)) // as versions before wrote it
	_, err := w.recover()
	is.NoErr(err)
	sameTree(t, w.tree(true), newWorld(t).tree(true))
}
