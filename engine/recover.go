package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// A Recovery is what was found of an apply that had been interrupted, and what became of it.
type Recovery struct {
	ID        string `json:"id"`
	Operation string `json:"operation"`
	// RolledBack: the host is as it was before the apply. Otherwise the apply had been finished, and is kept.
	RolledBack bool `json:"rolled_back"`
}

// Recover brings the host to exactly what it was before, or after, an apply that was interrupted. Every method that
// writes does so first by itself. It returns nil where there is nothing to recover.
func (e *Engine) Recover(ctx context.Context) (*Recovery, error) {
	var found *Recovery
	err := e.locked(ctx, "recover", func(ctx context.Context) (err error) {
		found, err = e.recoverLocked(ctx)
		return err
	})
	return found, err
}

// Interrupted reports whether an apply was interrupted and waits for recovery. It changes nothing.
func (e *Engine) Interrupted() (bool, error) {
	hot, err := hotJournals(e.fs, e.opts.StateDir)
	return len(hot) > 0, err
}

func (e *Engine) recoverLocked(ctx context.Context) (*Recovery, error) {
	hot, err := hotJournals(e.fs, e.opts.StateDir)
	if err != nil {
		return nil, failf(ConfigWriteFailed, err, "look for an interrupted apply")
	}
	switch len(hot) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, needsRecovery(fmt.Errorf("%w: there are %d of them: %s", errDamagedJournal, len(hot), strings.Join(hot, ", ")))
	}
	r, err := e.recoverJournal(ctx, hot[0])
	if err != nil {
		return nil, needsRecovery(err)
	}
	return r, nil
}

func needsRecovery(err error) error {
	f := failf(Internal, err, "an interrupted apply could not be recovered; nothing was changed or deleted beyond what it says")
	if errors.Is(err, errDamagedJournal) {
		f.Message = "an interrupted apply could not be recovered, and nothing was changed: look at the journal, put the files it names right by hand, then move it away"
	}
	f.Outcome = NeedsRecovery
	return f
}

func (e *Engine) recoverJournal(ctx context.Context, path string) (*Recovery, error) {
	b, err := e.fs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	records, err := parseJournal(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) == 0 {
		// Its first record never became durable, so nothing was changed yet, not even beside a file.
		return nil, errors.Join(e.fs.Remove(path), e.fs.SyncDir(filepath.Dir(path)))
	}
	tx, ended, err := e.resume(ctx, path, records, int64(len(b)))
	if err != nil {
		return nil, err
	}
	found := &Recovery{ID: tx.begin.ID, Operation: tx.begin.Operation, RolledBack: ended != "commit"}
	if ended != "" {
		err = tx.finish()
	} else {
		err = tx.rollBack(ctx, "interrupted", true)
	}
	if err != nil {
		return nil, errors.Join(err, tx.journal.close())
	}
	e.log.InfoContext(ctx, "recovered an interrupted apply", "apply_id", found.ID, "rolled_back", found.RolledBack)
	e.emit(ctx, Event{Type: Recovered, ApplyID: found.ID, Message: found.String()})
	return found, nil
}

func (r *Recovery) String() string {
	if r.RolledBack {
		return fmt.Sprintf("apply %s (%s) was interrupted: everything it had done was undone", r.ID, r.Operation)
	}
	return fmt.Sprintf("apply %s (%s) was finished, but not put away: it is kept", r.ID, r.Operation)
}

// resume makes a transaction of its journal. ended is the type of the record that ended it, if one did.
func (e *Engine) resume(ctx context.Context, path string, records []record, size int64) (tx *transaction, ended string, err error) {
	tx = e.transactionOf(*records[0].Begin)
	if tx.begin.ID != filepath.Base(path) {
		return nil, "", fmt.Errorf("%w: %s holds the journal of %s", errDamagedJournal, path, tx.begin.ID)
	}
	for _, r := range records[1:] {
		switch r.Type {
		case "intent":
			tx.intents[r.Step] = true
		case "done":
			tx.receipts[r.Step] = r.Receipt
		case "commit", "rolled_back":
			ended = r.Type
		}
	}
	// Where nginx's pid file and log are is read from the configuration; if it can't be, nginx can't be reloaded either.
	if s, err := e.survey(ctx); err == nil {
		tx.pidFile, tx.errorLog = s.pidFile, s.errorLog
	} else {
		e.log.WarnContext(ctx, "nginx can't be brought back after the recovery", "error", err)
	}
	f, err := e.fs.OpenAppend(path)
	if err != nil {
		return nil, "", err
	}
	// What was read may never have reached the disk; before acting on it, it must.
	if err := f.Sync(); err != nil {
		return nil, "", errors.Join(err, f.Close())
	}
	tx.journal = &journal{fs: e.fs, path: path, file: f, size: size, sync: !e.opts.NoSync}
	whole := wholeSize(records)
	if whole < size {
		// A torn record at the end would make whatever is appended behind it unreadable.
		tx.journal.size = whole
		if err := tx.journal.retract(); err != nil {
			return nil, "", errors.Join(err, f.Close())
		}
	}
	return tx, ended, nil
}

func wholeSize(records []record) int64 {
	var n int64
	for _, r := range records {
		n += r.size
	}
	return n
}

// dropQuietly removes a journal, and what its transaction left, where there is nothing to tell in the history.
func (e *Engine) dropQuietly(tx *transaction) error {
	if err := tx.clean(); err != nil {
		return err
	}
	if err := e.fs.Remove(tx.journal.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return e.fs.SyncDir(filepath.Dir(tx.journal.path))
}
