package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
)

// A Recovery is what was found in disorder, and what became of it.
type Recovery struct {
	// ID names the apply that had been interrupted; empty if none had.
	ID        string `json:"id,omitempty"`
	Operation string `json:"operation,omitempty"`
	// RolledBack: the host is as it was before the apply. Otherwise the apply had been finished, and is kept.
	RolledBack bool `json:"rolled_back"`
	// Kept are files with what somebody else had written meanwhile to what was undone, and what was in the way of what was
	// healed.
	Kept []string `json:"kept,omitempty"`
	// Healed are files and links that were damaged, and could be written anew.
	Healed []Healing `json:"healed,omitempty"`
	// Isolated are the routes that were disabled, because nginx could not start with them, or nothing is known of them any
	// more.
	Isolated []Isolation `json:"isolated,omitempty"`
	// NginxError is why nginx could not start, if it still could not. It is not the program's to mend.
	NginxError string `json:"nginx_error,omitempty"`
}

// Recover brings the host to exactly what it was before, or after, an apply that was interrupted, which every method that
// writes does first by itself. Then it heals what was damaged of the program's own files and links, and disables what
// can't be healed, keeping its file. It returns nil where there is nothing to recover. Whether nginx could start
// then is said by [Recovery.NginxError].
func (e *Engine) Recover(ctx context.Context) (*Recovery, error) {
	var found *Recovery
	err := e.locked(ctx, "recover", func(ctx context.Context) (err error) {
		if found, err = e.recoverLocked(ctx); err != nil {
			return err
		}
		m, err := e.mend(ctx)
		if m.did() {
			e.reloadMended(ctx)
		}
		if found == nil && (m.did() || m.complaint != "") {
			found = &Recovery{}
		}
		if found != nil {
			found.Kept = append(found.Kept, m.aside...)
			found.Healed, found.Isolated, found.NginxError = m.healed, m.isolated, m.complaint
		}
		return err
	})
	return found, err
}

func (e *Engine) interrupted() ([]string, error) {
	journals, err := e.journals.Interrupted()
	if err != nil {
		return nil, journalError(err, ConfigReadFailed, "look for an interrupted apply")
	}
	return journals, nil
}

func (e *Engine) recoverLocked(ctx context.Context) (found *Recovery, err error) {
	journals, err := e.interrupted()
	if err != nil || len(journals) == 0 {
		return nil, err
	}
	open, err := e.journals.Open(journals)
	if err != nil {
		return nil, needsRecovery(err)
	}
	for i, tx := range open {
		if found, err = e.recoverTransaction(ctx, tx); err != nil {
			for _, tx := range open[i:] {
				err = errors.Join(err, tx.Close())
			}
			return nil, needsRecovery(err)
		}
	}
	return found, nil
}

func needsRecovery(err error) error {
	f := failf(Internal, err, "an interrupted apply could not be recovered; nothing was changed or deleted beyond what it says")
	f.Outcome = NeedsRecovery
	if errors.Is(err, journal.ErrDamaged) {
		f.Message = "an interrupted apply could not be recovered, and nothing was changed: look at the journal, put the files it names right by hand, then move it away"
	}
	if _, untrusted := errors.AsType[*host.TrustError](err); untrusted {
		f.Message = "an interrupted apply could not be recovered, and nothing was changed: its journal may be somebody else's work; look at it, and remove it or make it root's"
	}
	if unknown, ok := errors.AsType[*journal.UnknownKindsError](err); ok {
		f.Message = "an interrupted apply could not be recovered, and nothing was changed"
		f.with("step_kinds", unknown.Kinds).with("program", unknown.Program)
	}
	return f
}

// recoverTransaction takes back what a dead process did, or puts away what it had finished.
func (e *Engine) recoverTransaction(ctx context.Context, tx *journal.Transaction) (*Recovery, error) {
	found := &Recovery{ID: tx.ID(), Operation: tx.Operation(), RolledBack: tx.Ended() != journal.Committed}
	var err error
	if tx.Ended() == "" {
		var complaint error
		if complaint, err = e.rollBack(ctx, tx, "interrupted", true, place{}); complaint != nil {
			found.NginxError = complaint.Error()
		}
	} else {
		err = tx.Finish()
	}
	if err != nil {
		return nil, err
	}
	found.Kept = tx.Kept()
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
	lines = append(lines, keptLines(r.Kept)...)
	lines = append(lines, mendedLines(r.Healed, r.Isolated)...)
	if r.NginxError != "" {
		lines = append(lines, fmt.Sprintf("nginx can't start, and not because of a route of this program's: %s", r.NginxError))
	}
	return strings.Join(lines, "\n")
}
