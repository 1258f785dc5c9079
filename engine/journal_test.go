package engine

import (
	"bytes"
	"context"
	"errors"
	"path"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/matryer/is"
)

// interrupted returns a host whose apply was killed in the middle, with its journal.
func interrupted(t testing.TB) (h *memoryHost, name string) {
	t.Helper()
	s := scenarios(t)[9]
	h = s.prepare(t)
	change := s.start(t, h)
	moments := h.watch(func() { must(t, change()) })
	h = moments[len(moments)/2]
	return h, path.Join(h.state, "journal", h.id())
}

func (h *memoryHost) read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := h.disk.ReadFile(name)
	must(t, err)
	return b
}

func (h *memoryHost) replace(t testing.TB, name string, b []byte) {
	t.Helper()
	must(t, h.disk.Remove(name))
	h.write(t, name, string(b))
}

func TestAJournalThatCannotBeTrustedIsRefusedAndNothingIsTouched(t *testing.T) {
	// What else makes a journal untrustworthy is tested in package journal.
	for name, damage := range map[string]func(b []byte) []byte{
		"a bit flipped":     func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut in the middle": func(b []byte) []byte { return b[:len(b)/2] },
		"no journal at all": func([]byte) []byte { return []byte("# notes of somebody\n") },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h, name := interrupted(t)
			h.replace(t, name, damage(bytes.Clone(h.read(t, name))))
			before, journalsBefore := h.configuration(), h.disk.Tree(path.Join(h.state, "journal"))
			e := h.open(t)
			for _, f := range []func() error{
				func() error { _, err := e.Recover(context.Background()); return err },
				func() error { _, err := e.Do(context.Background(), Put(memoryRoute(t, "z"))); return err },
			} {
				err := f()
				is.True(errors.Is(err, journal.ErrDamaged))
				is.Equal(OutcomeOf(err), NeedsRecovery)
			}
			is.Equal(difference(h.configuration(), before), "")
			is.Equal(h.disk.Tree(path.Join(h.state, "journal")), journalsBefore)
			_, err := e.Routes(context.Background()) // reading goes on
			is.NoErr(err)
		})
	}
}

func TestAnEditMeanwhileIsKeptAside(t *testing.T) {
	is := is.New(t)
	h, _ := interrupted(t)
	edited := memoryAvailable + "/fpai-a.conf"
	h.replace(t, edited, []byte("# a hurried administrator's\n"))
	found, err := h.open(t).Recover(context.Background())
	is.NoErr(err)
	is.True(found.RolledBack)
	is.Equal(len(found.Kept), 1)
	is.Equal(string(h.read(t, found.Kept[0])), "# a hurried administrator's\n")
	is.True(string(h.read(t, edited)) != "# a hurried administrator's\n") // it is as before the apply
}

func TestAnEditAheadOfAnApplyIsLeftAlone(t *testing.T) {
	is := is.New(t)
	s := scenarios(t)[2] // two routes change
	h := s.prepare(t)
	change := s.start(t, h)
	last := memoryAvailable + "/fpai-b.conf"
	edited := false
	h.disk.Before = func(op crashfs.Op) error {
		if op.Name == "Rename" && !edited { // the first file is being replaced: the second is edited
			edited = true
			clone := h.disk.Before
			h.disk.Before = nil
			h.replace(t, last, []byte("# a hurried administrator's\n"))
			h.disk.Before = clone
		}
		return nil
	}
	err := change()
	h.disk.Before = nil
	is.Equal(CodeOf(err), StalePlan)
	is.Equal(OutcomeOf(err), Undone)
	is.Equal(string(h.read(t, last)), "# a hurried administrator's\n") // not the apply's to take back
}
