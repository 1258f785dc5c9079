package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Open makes transactions of [Store.Interrupted] journals, the newest first. One that has not [Transaction.Ended]
// is to be undone; the others are to be finished. It changes nothing, and returns no transaction, if one of the journals is
// not good.
//
// There is more than one only where a power cut brought one back that had been put away: its removal is durable before
// the next apply does anything that can be seen. So whatever the order, at most one of them has anything to undo.
func (s *Store) Open(paths []string) ([]*Transaction, error) {
	paths = slices.Clone(paths)
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) }) // names begin with their time
	var open []*Transaction
	var never []string // those that had not begun
	for _, path := range paths {
		tx, err := s.open(path)
		if err != nil {
			return nil, errors.Join(err, closeAll(open))
		}
		if tx == nil {
			never = append(never, path)
			continue
		}
		open = append(open, tx)
	}
	for _, path := range never {
		j := file{fs: s.FS, path: path, sync: s.Sync}
		if err := j.remove(); err != nil {
			return nil, errors.Join(err, closeAll(open))
		}
	}
	return open, nil
}

func closeAll(open []*Transaction) error {
	var errs []error
	for _, tx := range open {
		errs = append(errs, tx.Close())
	}
	return errors.Join(errs...)
}

// open returns nil for a journal whose first record never became durable: nothing was changed then, not even beside a file.
func (s *Store) open(path string) (*Transaction, error) {
	b, err := s.read(path)
	if err != nil {
		return nil, &ReadError{err}
	}
	records, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) > 0 {
		return s.resume(path, records, int64(len(b)))
	}
	traces, err := s.traces(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	if traces || !neverBegun(b) {
		return nil, fmt.Errorf("%s: %w: its first record can't be read", path, ErrDamaged)
	}
	return nil, nil
}

// traces reports whether an apply has left anything beside the files that applies change.
func (s *Store) traces(id string) (bool, error) {
	for _, dir := range s.Places {
		entries, err := s.FS.ReadDir(dir)
		if err != nil {
			return false, &ReadError{err}
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), HiddenPrefix+id+"-") {
				return true, nil
			}
		}
	}
	return false, nil
}

// resume makes a transaction of its journal, which has been read as so many bytes.
func (s *Store) resume(path string, records []Record, size int64) (*Transaction, error) {
	tx := s.transaction(*records[0].Begin, nil)
	if tx.begin.ID != filepath.Base(path) {
		return nil, fmt.Errorf("%w: %s holds the journal of %.80q", ErrDamaged, path, tx.begin.ID)
	}
	tx.resumed, tx.begun, tx.made = true, len(tx.begin.Steps), len(tx.begin.Dirs)
	for _, r := range records[1:] {
		switch r.Type {
		case Intended:
			tx.intents[r.Step] = true
		case Did:
			tx.receipts[r.Step] = r.Receipt
		default:
			tx.end = r.Type
		}
	}
	f, err := s.FS.OpenAppend(path)
	if err != nil {
		return nil, err
	}
	// What was read may never have reached the disk; before acting on it, it must.
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	tx.file = &file{fs: s.FS, path: path, open: f, size: wholeSize(records), sync: s.Sync}
	if tx.file.size < size {
		// A torn record at the end would make whatever is appended behind it unreadable.
		if err := tx.file.retract(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return tx, nil
}
