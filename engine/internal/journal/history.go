package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// An Entry is one apply of the past.
type Entry struct {
	Begin
	Result Result // empty where how it ended is not known
	Error  string // why it was undone
	// Skipped are the steps that were left out.
	Skipped []string
}

// History returns the applies of the past that are still kept, newest first. What can't be read is left out, and logged.
func (s *Store) History() ([]Entry, error) {
	files, err := s.FS.ReadDir(s.history())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &ReadError{err}
	}
	entries := make([]Entry, 0, len(files))
	for _, f := range files {
		entry, err := s.Entry(f.Name())
		if err != nil {
			s.Logger.Warn("an entry of the history can't be read", "file", f.Name(), "error", err)
			continue
		}
		entries = append(entries, *entry)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.ID, a.ID))
	})
	return entries, nil
}

// Entry returns one apply of the past. fs.ErrNotExist is in the chain where the history has none of that id.
func (s *Store) Entry(id string) (*Entry, error) {
	path := filepath.Join(s.history(), filepath.Base(id)) // whatever was asked for, it is read here
	b, err := s.read(path)
	if err != nil {
		return nil, &ReadError{err}
	}
	records, err := Parse(b)
	if err == nil && len(records) == 0 {
		err = ErrDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entry := &Entry{Begin: *records[0].Begin}
	for _, r := range records[1:] {
		if r.Type == Committed || r.Type == RolledBack {
			entry.Result, entry.Error, entry.Skipped = r.Result, r.Error, r.Skipped
		}
	}
	return entry, nil
}

// archive moves a finished journal into the history. It may be done again after a crash in the middle.
func (s *Store) archive(path, id string) error {
	if err := s.FS.Rename(path, filepath.Join(s.history(), id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash may have left the journal under both names, and then a rename does nothing at all (rename(2)).
	if err := s.FS.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// No fsync: a rename is atomic, so after a power cut the journal is in the one place or the other, and from the first
	// it is put away again. The next apply makes this durable before it does anything that can be seen.
	return nil
}

// Limits bound the history.
type Limits struct {
	Age     time.Duration
	Applies int
	Bytes   int64 // the newest apply is kept, however large it is
}

// Prune removes from the history, the oldest first, what is beyond its limits. It is housekeeping, done after every apply, also
// after one that a full disk made fail: whatever fails here is tried again next time.
func (s *Store) Prune(l Limits) {
	files, err := s.FS.ReadDir(s.history()) // by name, and names begin with their time: the oldest first
	if err != nil {
		return
	}
	oldest := firstIDAt(s.Clock().Add(-l.Age))
	var size int64
	for i, f := range slices.Backward(files) {
		path, n := filepath.Join(s.history(), f.Name()), len(files)-i
		if info, err := s.FS.Lstat(path); err == nil {
			size += info.Size()
		}
		if f.Name() < oldest || n > l.Applies || n > 1 && size > l.Bytes {
			_ = s.FS.Remove(path)
		}
	}
}

// firstIDAt returns an id such that every apply before that time has a smaller one.
func firstIDAt(t time.Time) string { return t.UTC().Format("20060102T150405.000000") }
