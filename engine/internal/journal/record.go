package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

const format = 1

// A RecordType says what a record tells.
type RecordType string

const (
	// Begun is the first record: what is about to be done, and all that undo needs.
	Begun RecordType = "begin"
	// Intended and Did enclose a step whose effect can't be read back from the disk.
	Intended RecordType = "intent"
	Did      RecordType = "done"
	// Committed and RolledBack end a journal.
	Committed  RecordType = "commit"
	RolledBack RecordType = "rolled_back"
)

// A Result is how an apply ended.
type Result string

const (
	Applied Result = "applied"
	Partial Result = "partial" // what needed something that could not be had was left out
	Undone  Result = "undone"
)

// A Record is one line of a journal.
type Record struct {
	Type RecordType `json:"type"`
	At   time.Time  `json:"at"`
	// Of Begun.
	Begin *Begin `json:"begin,omitempty"`
	// Of Intended and Did: the step, for kinds whose effect can't be read back from the disk.
	Step    string          `json:"step,omitempty"`
	Receipt json.RawMessage `json:"receipt,omitempty"`
	// Of Committed and RolledBack.
	Result Result `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
	// Skipped are the steps of a partial apply that were left out.
	Skipped []string `json:"skipped,omitempty"`

	size int64 // of its line
}

// Begin says what is about to be done.
type Begin struct {
	Format    int           `json:"format"`
	ID        string        `json:"id"`
	PlanID    string        `json:"plan_id"`
	Operation string        `json:"operation"`
	Actor     string        `json:"actor"`
	StartedAt time.Time     `json:"started_at"`
	Summary   plan.Summary  `json:"summary"`
	Changes   []plan.Change `json:"changes"`
	Steps     []Logged      `json:"steps"`
	// Dirs are the directories that are made before anything else, each after those above it. They were not there.
	Dirs []string `json:"dirs,omitempty"`
	// Program is who writes the journal: only it may know the kinds of its steps.
	Program string `json:"program,omitempty"`
}

// A Logged step is a step with what undo needs: the state before, whole, and a fingerprint of the state after.
type Logged struct {
	Step   plan.Step `json:"step"`
	Before *State    `json:"before,omitempty"` // nil for steps that change no path
	After  string    `json:"after,omitempty"`  // as plan.State.String
	// Temp and Backup are the names beside the path that hold the new and the old content meanwhile.
	Temp   string `json:"temp,omitempty"`
	Backup string `json:"backup,omitempty"`
}

// leftovers are the names beside the path that may be taken, whatever has become of the step and of its undo.
func (l Logged) leftovers() []string {
	switch {
	case l.Before == nil:
		return nil
	case l.Before.Exists:
		return []string{l.Temp, l.Backup}
	case strings.HasPrefix(l.After, "symlink "): // plan.State.String
		return nil // it is made in its place
	default:
		return []string{l.Temp}
	}
}

// A State is a [plan.State] in the journal's form.
type State struct {
	Mode    fs.FileMode `json:"mode,omitempty"`
	Content []byte      `json:"content,omitempty"`
	Target  string      `json:"target,omitempty"`
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	Exists  bool        `json:"exists"`
}

// State returns the state as plans have it.
func (s *State) State() *plan.State { return new(plan.State(*s)) }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeRecord(r Record) ([]byte, error) {
	const noSum = "00000000 "
	b := bytes.NewBufferString(noSum)
	if err := json.NewEncoder(b).Encode(r); err != nil { // with a newline behind it
		return nil, err
	}
	line := b.Bytes()
	sum := crc32.Checksum(bytes.TrimSuffix(line[len(noSum):], []byte("\n")), castagnoli)
	copy(line, fmt.Sprintf("%08x", sum))
	return line, nil
}

// Parse returns the records of a journal. A torn last record, of a write that a crash cut short, ends it; a good
// record behind a bad one means damage, and then nothing in it is believed.
func Parse(b []byte) ([]Record, error) {
	var records []Record
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		r, ok := decodeRecord(line)
		if !whole || !ok {
			if bytes.ContainsFunc(rest, func(r rune) bool { return r != 0 }) && anyRecord(rest) {
				return nil, fmt.Errorf("%w: a good record follows a bad one", ErrDamaged)
			}
			break
		}
		r.size = int64(len(line)) + 1
		records = append(records, r)
		b = rest
	}
	return records, checkRecords(records)
}

// checkRecords refuses what this program would not have written.
func checkRecords(records []Record) error {
	for i, r := range records {
		switch {
		case i == 0 && (r.Type != Begun || r.Begin == nil):
			return fmt.Errorf("%w: it does not start with a begin record", ErrDamaged)
		case i == 0:
			if err := r.Begin.check(); err != nil {
				return err
			}
		case r.Type != Intended && r.Type != Did && r.Type != Committed && r.Type != RolledBack:
			return fmt.Errorf("%w: it holds a record of type %.40q", ErrDamaged, r.Type)
		}
	}
	return nil
}

// check refuses names that a journal of this program's never has: undo goes by them.
func (b *Begin) check() error {
	if b.Format != format {
		return fmt.Errorf("%w: its format is %d, and this program reads %d", ErrDamaged, b.Format, format)
	}
	for i, l := range b.Steps {
		if l.Before == nil {
			continue
		}
		path := l.Step.Path
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || l.Temp != tempName(b.ID, i, path) || l.Backup != backupName(b.ID, i, path) {
			return fmt.Errorf("%w: step %d has names that are not its own", ErrDamaged, i+1)
		}
	}
	for _, dir := range b.Dirs {
		if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
			return fmt.Errorf("%w: %.80q is no directory that it would make", ErrDamaged, dir)
		}
	}
	return nil
}

// The names beside a path that hold the new and the old content meanwhile. With a dot in front and no .conf behind, no
// include pattern of nginx finds them.
func tempName(id string, step int, path string) string   { return hiddenName(id, step, path) + ".new" }
func backupName(id string, step int, path string) string { return hiddenName(id, step, path) + ".old" }

// HiddenPrefix begins the names of what transactions keep beside files meanwhile.
const HiddenPrefix = ".pm-"

func hiddenName(id string, step int, path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%s-%d", HiddenPrefix, id, step+1))
}

// neverBegun reports whether b can be what a crash left of a journal whose first record was not durable yet: nothing, a
// part of that record, or zeros in its place. Anything else is not this program's, or has been damaged since.
func neverBegun(b []byte) bool {
	const start = `00000000 {"type":"begin"`
	for i := range min(len(b), len(start)) {
		isDigit := i < 8 && bytes.IndexByte([]byte("0123456789abcdef"), b[i]) >= 0
		if b[i] != 0 && !isDigit && b[i] != start[i] {
			return false
		}
	}
	return true
}

func decodeRecord(line []byte) (Record, bool) {
	var r Record
	sum, body, ok := bytes.Cut(line, []byte(" "))
	if !ok || string(sum) != fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) {
		return r, false
	}
	return r, json.Unmarshal(body, &r) == nil
}

func anyRecord(b []byte) bool {
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if _, ok := decodeRecord(line); ok {
			return true
		}
	}
	return false
}

func wholeSize(records []Record) int64 {
	var n int64
	for _, r := range records {
		n += r.size
	}
	return n
}
