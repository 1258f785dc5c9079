package engine

import (
	"bytes"
	"context"
	"errors"
	"path"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/matryer/is"
)

// interrupted returns a host whose apply was killed in the middle, with its journal.
func interrupted(t testing.TB) (h *memoryHost, journal string) {
	t.Helper()
	s := scenarios(t)[9]
	h = s.prepare(t)
	change := s.start(t, h)
	moments := h.watch(func() { must(t, change()) })
	h = moments[len(moments)/2]
	return h, path.Join(h.state, journalDir, h.id())
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
	encoded := func(t *testing.T, r record) []byte {
		b, err := encodeRecord(r)
		must(t, err)
		return b
	}
	for name, damage := range map[string]func(t *testing.T, b []byte) []byte{
		"a bit flipped in the first record": func(_ *testing.T, b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a bit flipped, and a good record behind": func(t *testing.T, b []byte) []byte {
			b[20] ^= 1
			return append(b, encoded(t, record{Type: "commit"})...)
		},
		"no journal at all": func(*testing.T, []byte) []byte { return []byte("# notes of somebody\n") },
		"cut in the middle": func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] },
		"another format":    func(t *testing.T, b []byte) []byte { return rewritten(t, b, func(b *begin) { b.Format = 99 }) },
		"another's":         func(t *testing.T, b []byte) []byte { return rewritten(t, b, func(b *begin) { b.ID = "other" }) },
		"names of another's": func(t *testing.T, b []byte) []byte {
			return rewritten(t, b, func(b *begin) { b.Steps[0].Backup = "/etc/passwd" })
		},
		"a record of no known type": func(t *testing.T, b []byte) []byte {
			return append(b, encoded(t, record{Type: "perhaps"})...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			h, journal := interrupted(t)
			h.replace(t, journal, damage(t, bytes.Clone(h.read(t, journal))))
			before, journalsBefore := h.configuration(), h.disk.Tree(path.Join(h.state, journalDir))
			e := h.open(t)
			for _, f := range []func() error{
				func() error { _, err := e.Recover(context.Background()); return err },
				func() error { _, err := e.Do(context.Background(), Put(memoryRoute(t, "z"))); return err },
			} {
				err := f()
				is.True(errors.Is(err, errDamagedJournal))
				is.Equal(OutcomeOf(err), NeedsRecovery)
			}
			is.Equal(difference(h.configuration(), before), "")
			is.Equal(h.disk.Tree(path.Join(h.state, journalDir)), journalsBefore)
			_, err := e.Routes(context.Background()) // reading goes on
			is.NoErr(err)
		})
	}
}

func rewritten(t *testing.T, b []byte, change func(*begin)) []byte {
	records, err := parseJournal(b)
	must(t, err)
	change(records[0].Begin)
	b, err = encodeRecord(records[0])
	must(t, err)
	return b
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

func FuzzParseJournal(f *testing.F) {
	h, journal := interrupted(f)
	good := h.read(f, journal)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := parseJournal(b)
		if err != nil {
			if !errors.Is(err, errDamagedJournal) {
				t.Fatal(err)
			}
			return
		}
		// What is accepted is a prefix, record for record, that reads the same again.
		again, err := parseJournal(b[:wholeSize(records)])
		if err != nil || len(again) != len(records) {
			t.Fatalf("%d records, then %d: %v", len(records), len(again), err)
		}
		neverBegun(b)
	})
}
