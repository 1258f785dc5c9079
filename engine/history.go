package engine

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An Entry is one apply of the past.
type Entry struct {
	ID        string       `json:"id"`
	StartedAt time.Time    `json:"started_at"`
	Operation string       `json:"operation"`
	Actor     string       `json:"actor"`
	Result    string       `json:"result"` // applied, partial, undone
	Summary   plan.Summary `json:"summary"`
	// Error says why it was undone.
	Error string `json:"error,omitempty"`
}

// archive moves a finished journal into the history. It may be done again after a crash in the middle.
func (e *Engine) archive(path, id string) error {
	entry := filepath.Join(e.opts.StateDir, historyDir, id)
	if err := e.fs.Rename(path, entry); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash may have left the journal under both names, and then a rename does nothing at all (rename(2)).
	if err := e.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// No fsync: a rename is atomic, so after a power cut the journal is in the one place or the other, and from the first
	// it is put away again. The next apply makes this durable before it does anything that can be seen.
	return nil
}

// History returns the applies of the past that are still kept, newest first.
func (e *Engine) History() ([]Entry, error) {
	dir := filepath.Join(e.opts.StateDir, historyDir)
	files, err := e.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []Entry{}, nil
	}
	if err != nil {
		return nil, failf(ConfigWriteFailed, err, "read the history; run as the user that owns %s", e.opts.StateDir)
	}
	entries := make([]Entry, 0, len(files))
	for _, f := range files {
		records, err := e.readHistory(f.Name())
		if err != nil || len(records) == 0 {
			e.log.Warn("an entry of the history can't be read", "file", f.Name(), "error", err)
			continue
		}
		entries = append(entries, entryOf(records))
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	return entries, nil
}

func (e *Engine) readHistory(id string) ([]record, error) {
	b, err := e.fs.ReadFile(filepath.Join(e.opts.StateDir, historyDir, id))
	if err != nil {
		return nil, err
	}
	return parseJournal(b)
}

func entryOf(records []record) Entry {
	b := records[0].Begin
	entry := Entry{ID: b.ID, StartedAt: b.StartedAt, Operation: b.Operation, Actor: b.Actor, Summary: b.Summary}
	for _, r := range records[1:] {
		if r.Type == "commit" || r.Type == "rolled_back" {
			entry.Result, entry.Error = r.Result, r.Error
		}
	}
	return entry
}

// pruneHistory removes what need not be kept any more. It is housekeeping, done after every apply, also after one that a
// full disk made fail: whatever fails here is tried again next time.
func (e *Engine) pruneHistory() {
	dir := filepath.Join(e.opts.StateDir, historyDir)
	files, err := e.fs.ReadDir(dir) // by name, and names begin with their time: the oldest first
	if err != nil {
		return
	}
	oldest := newestKept(e.opts.Clock().Add(-e.opts.Keep))
	for i, f := range files {
		if f.Name() < oldest || len(files)-i > e.opts.KeepApplies {
			_ = e.fs.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// newestKept returns an id such that every apply before that time has a smaller one.
func newestKept(t time.Time) string { return t.UTC().Format("20060102T150405.000000") }
