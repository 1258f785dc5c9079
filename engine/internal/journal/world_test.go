package journal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// What the tests run on: a disk that loses power, with two directories that applies change.

const (
	stateDir = "/var/state"
	files    = "/etc/files"
	links    = "/etc/links"
)

type world struct {
	disk  *crashfs.FS
	kinds map[string]Kind
	many  int // see Store.ManyFiles
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{disk: crashfs.New(), kinds: map[string]Kind{}, many: 100}
	for _, dir := range append([]string{files, links}, w.store().Dirs()...) {
		_, err := host.MkdirAll(w.disk, dir, 0o755)
		must(t, err)
	}
	w.write(t, files+"/old", "old\n")
	w.write(t, files+"/gone", "to be removed\n")
	w.disk.SyncAll()
	return w
}

// on is the same world with another disk: the program that was there is dead.
func (w *world) on(disk *crashfs.FS) *world {
	return &world{disk: disk, kinds: w.kinds, many: w.many}
}

func (w *world) store() *Store {
	return &Store{
		FS: w.disk, Dir: stateDir, Places: []string{files, links}, Sync: true, ManyFiles: w.many, Program: "/usr/bin/own",
		Kind:  func(name string) (Kind, bool) { k, ok := w.kinds[name]; return k, ok },
		Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }, Logger: slog.New(slog.DiscardHandler),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(t testing.TB, name, text string) {
	t.Helper()
	if err := w.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	must(t, host.Create(w.disk, name, plan.File([]byte(text), 0o644), &plan.State{}, false))
}

// tree is all that applies change, without what they keep beside it meanwhile if that is not asked for.
func (w *world) tree(hidden bool) map[string]string {
	tree := w.disk.Tree("/etc")
	maps.DeleteFunc(tree, func(name, _ string) bool { return !hidden && strings.HasPrefix(path.Base(name), HiddenPrefix) })
	return tree
}

// change is a step that makes a path hold a state.
func (w *world) change(t testing.TB, id, name string, after *plan.State) Step {
	t.Helper()
	before, err := host.ReadState(w.disk, name)
	must(t, err)
	return Step{Step: plan.Step{ID: id, Kind: plan.WriteFile, Address: "file." + path.Base(name), Path: name}, Before: before, After: after}
}

func (w *world) steps(t testing.TB) []Step {
	return []Step{
		w.change(t, "s1", files+"/old", plan.File([]byte("new\n"), 0o600)),
		w.change(t, "s2", files+"/made", plan.File([]byte("made\n"), 0o644)),
		w.change(t, "s3", links+"/made", plan.Link(files+"/made")),
		w.change(t, "s4", files+"/gone", &plan.State{}),
	}
}

const anID = "20260101T000000.000000-abcdef"

func (w *world) begin(steps []Step) *Transaction {
	return w.store().New(Begin{ID: anID, Operation: "apply", Actor: "test"}, steps)
}

// run does all steps, and commits.
func run(tx *Transaction) error {
	if err := tx.Start(); err != nil {
		return err
	}
	for i, s := range tx.steps {
		var err error
		if s.After != nil {
			err = tx.Change(i)
		} else {
			err = tx.Do(context.Background(), i)
		}
		if err != nil {
			return err
		}
	}
	return tx.Commit(Applied)
}

// recover does what a program does that finds journals.
func (w *world) recover() (kept []string, err error) {
	s := w.store()
	names, err := s.Interrupted()
	if err != nil {
		return nil, err
	}
	open, err := s.Open(names)
	if err != nil {
		return nil, err
	}
	for _, tx := range open {
		if tx.Ended() != "" {
			err = tx.Finish()
		} else if err = tx.Undo(context.Background()); err == nil {
			err = tx.Undone("interrupted")
		}
		kept = append(kept, tx.Kept()...)
		if err != nil {
			return kept, errors.Join(err, tx.Close())
		}
	}
	return kept, nil
}

// interrupted returns a world in which a program died in the middle of its steps, and its journal.
func interrupted(t testing.TB) (w *world, name string, b []byte) {
	t.Helper()
	w = newWorld(t)
	tx := w.begin(w.steps(t))
	must(t, tx.Start())
	must(t, tx.Change(0))
	must(t, tx.Change(1))
	name = stateDir + "/journal/" + anID
	b, err := w.disk.ReadFile(name)
	must(t, err)
	return w, name, b
}

// A noting kind says what a file held each time it was called.
type noting struct {
	disk  func() *crashfs.FS
	file  string
	late  bool
	notes *[]string
	err   error
}

func (k noting) note(what string) {
	b, err := k.disk().ReadFile(k.file)
	if err != nil {
		b = []byte("nothing")
	}
	*k.notes = append(*k.notes, what+" "+strings.TrimSpace(string(b)))
}

func (k noting) Do(context.Context, plan.Step) (json.RawMessage, error) {
	k.note("do")
	return json.RawMessage(`"receipt"`), k.err
}

func (k noting) Undo(_ context.Context, _ plan.Step, receipt json.RawMessage) error {
	k.note("undo" + string(receipt))
	return nil
}

func (k noting) UndoAfterFiles() bool { return k.late }

func sameTree(t testing.TB, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("%v\nshould be\n%v", list(got), list(want))
	}
}

func list(tree map[string]string) (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		lines = append(lines, name+" "+tree[name])
	}
	return lines
}
