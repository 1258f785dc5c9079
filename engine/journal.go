package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A journal is the undo log of one apply: a file of records, each a line of JSON after its CRC-32C. Its first record
// holds all that is needed to undo the apply and is durable before anything visible changes. An apply is done when its
// commit record is durable, and only then. The file of a finished apply moves to the history as it is.
type journal struct {
	fs   host.FS
	path string
	file host.File
	size int64 // of what is known to be good
	sync bool
	// uncertain: a record could be neither written nor taken back, so nobody knows what a later reader will find.
	uncertain bool
}

const (
	journalFormat = 1
	// The directories of the state directory, and their rights: nobody else needs to see what was replaced.
	journalDir = "journal"
	historyDir = "history"
	keptDir    = "kept" // foreign edits that recovery found and put aside
)

// A record is one line of a journal.
type record struct {
	Type string    `json:"type"` // begin, intent, done, commit, rolled_back
	At   time.Time `json:"at"`
	// begin
	Begin *begin `json:"begin,omitempty"`
	// intent and done: the step, for kinds whose effect cannot be read back from the disk
	Step    string          `json:"step,omitempty"`
	Receipt json.RawMessage `json:"receipt,omitempty"`
	// commit and rolled_back
	Result string `json:"result,omitempty"`
	Error  string `json:"error,omitempty"`
	// Skipped are the steps of a partial apply that were left out.
	Skipped []string `json:"skipped,omitempty"`

	size int64 // of its line
}

// begin says what is about to be done.
type begin struct {
	Format    int           `json:"format"`
	ID        string        `json:"id"`
	PlanID    string        `json:"plan_id"`
	Operation string        `json:"operation"`
	Actor     string        `json:"actor"`
	StartedAt time.Time     `json:"started_at"`
	Summary   plan.Summary  `json:"summary"`
	Changes   []plan.Change `json:"changes"`
	Steps     []loggedStep  `json:"steps"`
}

// A loggedStep is a step with what undo needs: the state before, whole, and a fingerprint of the state after.
type loggedStep struct {
	Step   plan.Step    `json:"step"`
	Before *loggedState `json:"before,omitempty"`
	After  string       `json:"after,omitempty"` // as plan.State.String
	// Temp and Backup are the names beside the path that hold the new and the old content meanwhile.
	Temp   string `json:"temp,omitempty"`
	Backup string `json:"backup,omitempty"`
}

// leftovers are the names beside the path that may be taken, whatever has become of the step and of its undo.
func (l loggedStep) leftovers() []string {
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

type loggedState struct {
	Mode    fs.FileMode `json:"mode,omitempty"`
	Content []byte      `json:"content,omitempty"`
	Target  string      `json:"target,omitempty"`
	UID     int         `json:"uid"`
	GID     int         `json:"gid"`
	Exists  bool        `json:"exists"`
}

func logState(s *plan.State) *loggedState {
	return &loggedState{Mode: s.Mode, Content: s.Content, Target: s.Target, UID: s.UID, GID: s.GID, Exists: s.Exists}
}

func (l *loggedState) state() *plan.State {
	return &plan.State{Mode: l.Mode, Content: l.Content, Target: l.Target, UID: l.UID, GID: l.GID, Exists: l.Exists}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeRecord(r record) ([]byte, error) {
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

// startJournal makes the journal with its first record durable.
func startJournal(fsys host.FS, dir string, first record, durable bool) (*journal, error) {
	j := &journal{fs: fsys, path: filepath.Join(dir, first.Begin.ID), sync: durable}
	f, err := fsys.Create(j.path, 0o600)
	if err != nil {
		return nil, err
	}
	j.file = f
	err = j.append(first)
	if err == nil && durable {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, j.close(), j.remove())
	}
	return j, nil
}

// append writes one record and makes it durable, or takes it back, so that no later reader finds a part of it.
func (j *journal) append(r record) error {
	if j.uncertain {
		return errors.New("the journal could not be written before")
	}
	b, err := encodeRecord(r)
	if err != nil {
		return err
	}
	if err := j.write(b); err != nil {
		return errors.Join(err, j.retract())
	}
	j.size += int64(len(b))
	return nil
}

func (j *journal) write(b []byte) error {
	if _, err := j.file.Write(b); err != nil {
		return err
	}
	if j.sync {
		return j.file.Sync()
	}
	return nil
}

// retract takes back what a failed write may have left.
func (j *journal) retract() error {
	err := j.file.Truncate(j.size)
	if err == nil && j.sync {
		err = j.file.Sync()
	}
	j.uncertain = err != nil
	return err
}

// remove removes the journal for good.
func (j *journal) remove() error {
	if err := j.fs.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !j.sync {
		return nil
	}
	return j.fs.SyncDir(filepath.Dir(j.path))
}

// close may be called again.
func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	return f.Close()
}

// errDamagedJournal is in the chain when a journal can't be trusted.
var errDamagedJournal = errors.New("the journal is damaged")

// parseJournal returns the records of a journal. A torn last record, of a write that a crash cut short, ends it; a good
// record behind a bad one means damage, and then nothing in it is believed.
func parseJournal(b []byte) ([]record, error) {
	var records []record
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		r, ok := decodeRecord(line)
		if !whole || !ok {
			if bytes.ContainsFunc(rest, func(r rune) bool { return r != 0 }) && anyRecord(rest) {
				return nil, fmt.Errorf("%w: a good record follows a bad one", errDamagedJournal)
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
func checkRecords(records []record) error {
	for i, r := range records {
		switch {
		case i == 0 && (r.Type != "begin" || r.Begin == nil):
			return fmt.Errorf("%w: it does not start with a begin record", errDamagedJournal)
		case i == 0:
			if err := r.Begin.check(); err != nil {
				return err
			}
		case !slices.Contains([]string{"intent", "done", "commit", "rolled_back"}, r.Type):
			return fmt.Errorf("%w: it holds a record of type %.40q", errDamagedJournal, r.Type)
		}
	}
	return nil
}

// check refuses names that a journal of this program's never has: undo goes by them.
func (b *begin) check() error {
	if b.Format != journalFormat {
		return fmt.Errorf("%w: its format is %d, and this program reads %d", errDamagedJournal, b.Format, journalFormat)
	}
	for i, l := range b.Steps {
		if l.Before == nil {
			continue
		}
		path := l.Step.Path
		if !filepath.IsAbs(path) || filepath.Clean(path) != path || l.Temp != tempName(b.ID, i, path) || l.Backup != backupName(b.ID, i, path) {
			return fmt.Errorf("%w: step %d has names that are not its own", errDamagedJournal, i+1)
		}
	}
	return nil
}

// The names beside a path that hold the new and the old content meanwhile. With a dot in front and no .conf behind, no
// include pattern of nginx finds them.
func tempName(id string, step int, path string) string   { return hiddenName(id, step, path) + ".new" }
func backupName(id string, step int, path string) string { return hiddenName(id, step, path) + ".old" }

const hiddenPrefix = ".pm-"

func hiddenName(id string, step int, path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf("%s%s-%d", hiddenPrefix, id, step+1))
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

func decodeRecord(line []byte) (record, bool) {
	var r record
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

// hotJournals returns the journals of applies that have not ended, by name.
func hotJournals(fsys host.FS, stateDir string) ([]string, error) {
	entries, err := fsys.ReadDir(filepath.Join(stateDir, journalDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(stateDir, journalDir, e.Name()))
		}
	}
	return names, nil
}
