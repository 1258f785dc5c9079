package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// A Recovery is what was found in disorder, and what became of it.
type Recovery struct {
	// ID names the apply that had been interrupted; empty if none had.
	ID        string `json:"id,omitempty"`
	Operation string `json:"operation,omitempty"`
	// RolledBack: the host is as it was before the apply. Otherwise the apply had been finished, and is kept.
	RolledBack bool `json:"rolled_back"`
	// Kept are files with what somebody else had written meanwhile to what was undone.
	Kept []string `json:"kept,omitempty"`
	// Isolated are the routes that were disabled, because nginx could not start with them.
	Isolated []Isolation `json:"isolated,omitempty"`
	// NginxError is what nginx refuses its configuration for, if it still does. It is not the program's to mend.
	NginxError string `json:"nginx_error,omitempty"`
}

// Recover brings the host to exactly what it was before, or after, an apply that was interrupted, which every method that
// writes does first by itself. Then, if nginx can't start because of a route of the program's own, it disables that route
// alone and keeps its file. It returns nil where there is nothing to recover.
func (e *Engine) Recover(ctx context.Context) (*Recovery, error) {
	var found *Recovery
	err := e.locked(ctx, "recover", func(ctx context.Context) (err error) {
		if found, err = e.recoverLocked(ctx); err != nil {
			return err
		}
		isolated, complaint, err := e.isolate(ctx)
		if len(isolated) > 0 {
			e.reloadIsolated(ctx)
		}
		if found == nil && (len(isolated) > 0 || complaint != "") {
			found = &Recovery{}
		}
		if found != nil {
			found.Isolated, found.NginxError = isolated, complaint
		}
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
	var found *Recovery
	open, err := e.openJournals(hot)
	if err != nil {
		return nil, needsRecovery(err)
	}
	for i, tx := range open {
		if found, err = e.recoverTransaction(ctx, tx); err != nil {
			for _, tx := range open[i:] {
				err = errors.Join(err, tx.journal.close())
			}
			return nil, needsRecovery(err)
		}
	}
	return found, nil
}

func needsRecovery(err error) error {
	f := failf(Internal, err, "an interrupted apply could not be recovered; nothing was changed or deleted beyond what it says")
	if errors.Is(err, errDamagedJournal) {
		f.Message = "an interrupted apply could not be recovered, and nothing was changed: look at the journal, put the files it names right by hand, then move it away"
	}
	f.Outcome = NeedsRecovery
	return f
}

// openJournals makes transactions of the journals, the newest first, and changes nothing if one of them is not good.
//
// There is more than one only where a power cut brought one back that had been put away: its removal is durable before
// the next apply does anything that can be seen. So whatever the order, at most one of them has anything to undo.
func (e *Engine) openJournals(paths []string) (open []*transaction, err error) {
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(b, a) }) // names begin with their time
	for _, path := range paths {
		tx, err := e.openJournal(path)
		if err != nil {
			for _, tx := range open {
				err = errors.Join(err, tx.journal.close())
			}
			return nil, err
		}
		open = append(open, tx)
	}
	return open, nil
}

func (e *Engine) openJournal(path string) (*transaction, error) {
	b, err := e.fs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	records, err := parseJournal(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) > 0 {
		return e.resume(path, records, int64(len(b)))
	}
	// If its first record never became durable, nothing was changed yet, not even beside a file.
	tx := e.transactionOf(begin{ID: filepath.Base(path)})
	tx.journal = &journal{fs: e.fs, path: path, sync: !e.opts.NoSync}
	traces, err := e.traces(tx.begin.ID)
	if err != nil {
		return nil, err
	}
	if traces || !neverBegun(b) {
		return nil, fmt.Errorf("%s: %w: its first record can't be read", path, errDamagedJournal)
	}
	tx.ended = "nothing"
	return tx, nil
}

// traces reports whether an apply has left anything beside the files of the sites.
func (e *Engine) traces(id string) (bool, error) {
	for _, dir := range []string{e.opts.SitesAvailable, e.opts.SitesEnabled} {
		entries, err := e.fs.ReadDir(dir)
		if err != nil {
			return false, err
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), hiddenPrefix+id+"-") {
				return true, nil
			}
		}
	}
	return false, nil
}

// recoverTransaction ends a transaction. It returns nil for one that had not begun.
func (e *Engine) recoverTransaction(ctx context.Context, tx *transaction) (*Recovery, error) {
	found := &Recovery{ID: tx.begin.ID, Operation: tx.begin.Operation, RolledBack: tx.ended != "commit"}
	var err error
	switch tx.ended {
	case "nothing":
		return nil, tx.journal.remove()
	case "":
		// What the program did last before it was killed may not be durable. It must be, before anything is built on it:
		// else a link that is put back now could outlive the file that it leads to.
		if err = tx.syncDirs(); err == nil {
			err = tx.rollBack(ctx, "interrupted", true)
		}
	default:
		err = tx.finish()
	}
	if err != nil {
		return nil, err
	}
	found.Kept = tx.kept
	e.log.InfoContext(ctx, "recovered an interrupted apply", "apply_id", found.ID, "rolled_back", found.RolledBack)
	e.emit(ctx, Event{Type: Recovered, ApplyID: found.ID, Message: found.String()})
	return found, nil
}

// String tells people about it, one sentence a line.
func (r *Recovery) String() string {
	var lines []string
	switch {
	case r.ID == "":
	case r.RolledBack:
		lines = append(lines, fmt.Sprintf("apply %s (%s) was interrupted: everything it had done was undone", r.ID, r.Operation))
	default:
		lines = append(lines, fmt.Sprintf("apply %s (%s) was finished, but not put away: it is kept", r.ID, r.Operation))
	}
	for _, name := range r.Kept {
		lines = append(lines, fmt.Sprintf("what somebody else had written meanwhile is kept in %s", name))
	}
	for _, i := range r.Isolated {
		lines = append(lines, fmt.Sprintf("route.%s was disabled, and its file %s kept, since nginx can't start with it: %s", i.Route, i.File, i.Reason))
	}
	if r.NginxError != "" {
		lines = append(lines, fmt.Sprintf("nginx refuses its configuration, and not because of a route of this program's: %s", r.NginxError))
	}
	return strings.Join(lines, "\n")
}

// resume makes a transaction of its journal.
func (e *Engine) resume(path string, records []record, size int64) (*transaction, error) {
	tx := e.transactionOf(*records[0].Begin)
	if tx.begin.ID != filepath.Base(path) {
		return nil, fmt.Errorf("%w: %s holds the journal of %.80q", errDamagedJournal, path, tx.begin.ID)
	}
	tx.begun = len(tx.begin.Steps)
	for _, r := range records[1:] {
		switch r.Type {
		case "intent":
			tx.intents[r.Step] = true
		case "done":
			tx.receipts[r.Step] = r.Receipt
		default:
			tx.ended = r.Type
		}
	}
	f, err := e.fs.OpenAppend(path)
	if err != nil {
		return nil, err
	}
	// What was read may never have reached the disk; before acting on it, it must.
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	tx.journal = &journal{fs: e.fs, path: path, file: f, size: wholeSize(records), sync: !e.opts.NoSync}
	if tx.journal.size < size {
		// A torn record at the end would make whatever is appended behind it unreadable.
		if err := tx.journal.retract(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return tx, nil
}

// locate finds where nginx's pid file and log are, now that its configuration is as it was.
func (tx *transaction) locate(ctx context.Context) error {
	if tx.paths.PIDFile != "" {
		return nil
	}
	b, err := tx.e.build(ctx)
	if err != nil {
		tx.e.log.WarnContext(ctx, "there is no nginx to bring back", "error", err)
		return nil
	}
	if tx.paths, err = tx.e.paths(tx.e.observer(), b); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("find the nginx to bring back: %w", err)
	}
	return nil
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
	return tx.journal.remove()
}
