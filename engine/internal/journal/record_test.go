package journal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func encoded(t testing.TB, r Record) []byte {
	t.Helper()
	b, err := encodeRecord(r)
	must(t, err)
	return b
}

func rewritten(t *testing.T, b []byte, change func(*Begin)) []byte {
	t.Helper()
	records, err := Parse(b)
	must(t, err)
	change(records[0].Begin)
	return encoded(t, records[0])
}

func TestAJournalThatCannotBeTrustedIsRefusedAndNothingIsTouched(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, b []byte) []byte{
		"a bit flipped in the first record": func(_ *testing.T, b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a bit flipped, and a good record behind": func(t *testing.T, b []byte) []byte {
			b[20] ^= 1
			return append(b, encoded(t, Record{Type: Committed})...)
		},
		"no journal at all": func(*testing.T, []byte) []byte { return []byte("# notes of somebody\n") },
		"cut in the middle": func(_ *testing.T, b []byte) []byte { return b[:len(b)/2] },
		"another format":    func(t *testing.T, b []byte) []byte { return rewritten(t, b, func(b *Begin) { b.Format = 99 }) },
		"another's":         func(t *testing.T, b []byte) []byte { return rewritten(t, b, func(b *Begin) { b.ID = "other" }) },
		"names of another's": func(t *testing.T, b []byte) []byte {
			return rewritten(t, b, func(b *Begin) { b.Steps[0].Backup = "/etc/passwd" })
		},
		"a path that is none": func(t *testing.T, b []byte) []byte {
			return rewritten(t, b, func(b *Begin) { b.Steps[0].Step.Path = "../etc/passwd" })
		},
		"no first record":           func(t *testing.T, b []byte) []byte { return encoded(t, Record{Type: Committed}) },
		"a record of no known type": func(t *testing.T, b []byte) []byte { return append(b, encoded(t, Record{Type: "perhaps"})...) },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			w, journal, b := interrupted(t)
			w.write(t, journal, string(damage(t, bytes.Clone(b))))
			before := w.disk.Fingerprint()
			_, err := w.recover()
			is.True(errors.Is(err, ErrDamaged))
			is.Equal(w.disk.Fingerprint(), before)
		})
	}
}

func TestATornRecordEndsAJournal(t *testing.T) {
	is := is.New(t)
	w, name, b := interrupted(t)
	commit := encoded(t, Record{Type: Committed})
	for n := range commit {
		records, err := Parse(append(bytes.Clone(b), commit[:n]...))
		is.NoErr(err)
		is.Equal(len(records), 1) // not committed
	}
	w.write(t, name, string(b)+string(commit[:len(commit)/2]))
	_, err := w.recover()
	is.NoErr(err)
	entry, err := w.store().Entry(anID) // the end of the journal can be read
	is.NoErr(err)
	is.Equal(entry.Result, Undone)
}

func TestAJournalThatNeverBeganIsDropped(t *testing.T) {
	is := is.New(t)
	w := newWorld(t)
	_, _, whole := interrupted(t)
	before := w.tree(true)
	for _, b := range [][]byte{nil, whole[:1], whole[:len(whole)-1], make([]byte, 100)} {
		w.write(t, stateDir+"/journal/"+anID, string(b))
		_, err := w.recover()
		is.NoErr(err)
		sameTree(t, w.tree(true), before)
		names, err := w.store().Interrupted()
		is.NoErr(err)
		is.Equal(len(names), 0)
	}
}

// A journal as version 0.1 wrote it: without the program's name.
func TestJournalsOfVersion01AreRead(t *testing.T) {
	is := is.New(t)
	line := `{"type":"begin","at":"2026-01-01T00:00:00Z","begin":{"format":1,"id":"` + anID + `","plan_id":"","operation":"put","actor":"root","started_at":"2026-01-01T00:00:00Z",` +
		`"summary":{"create":0,"update":1,"delete":0,"unchanged":0,"drifted":0},"changes":null,"steps":[{"step":{"id":"s1","kind":"write_file","path":"/etc/files/old","description":"","undo":""},` +
		`"before":{"mode":420,"content":"b2xkCg==","uid":0,"gid":0,"exists":true},"after":"absent","temp":"/etc/files/.pm-` + anID + `-1.new","backup":"/etc/files/.pm-` + anID + `-1.old"}]}}` + "\n"
	records, err := Parse(withSum(line))
	is.NoErr(err)
	is.Equal(records[0].Begin.Operation, "put")
	is.Equal(string(records[0].Begin.Steps[0].Before.State().Content), "old\n")
}

func FuzzParseJournal(f *testing.F) {
	_, _, good := interrupted(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte("00000000 {}\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		// What is accepted is a prefix, record for record, that reads the same again.
		again, err := Parse(b[:wholeSize(records)])
		if err != nil || len(again) != len(records) {
			t.Fatalf("%d records, then %d: %v", len(records), len(again), err)
		}
		neverBegun(b)
	})
}

// withSum puts a line's sum in front of it.
func withSum(line string) []byte {
	return fmt.Appendf(nil, "%08x %s", crc32.Checksum([]byte(strings.TrimSuffix(line, "\n")), castagnoli), line)
}
