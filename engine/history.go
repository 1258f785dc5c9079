package engine

import (
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An EntryResult is how an apply of the past ended, in the journal's words; empty where that is not known.
type EntryResult string

const (
	EntryApplied EntryResult = "applied"
	// EntryPartial: a certificate could not be had, and what depends on it was left out.
	EntryPartial EntryResult = "partial"
	// EntryUndone: it failed or was interrupted, and everything it had done was taken back.
	EntryUndone EntryResult = "undone"
)

// An Entry is one apply of the past.
type Entry struct {
	ID        string       `json:"id"`
	StartedAt time.Time    `json:"started_at"`
	Operation string       `json:"operation"`
	Actor     string       `json:"actor"`
	Result    EntryResult  `json:"result"`
	Summary   plan.Summary `json:"summary"`
	// Changes are what it was to do to which resource, without those that stayed as they were.
	Changes []plan.Change `json:"changes"`
	// Error says why it was undone.
	Error string `json:"error,omitempty"`
}

// History returns the applies of the past that are still kept, newest first.
func (e *Engine) History() ([]Entry, error) {
	past, err := e.journals.History()
	if err != nil {
		return nil, journalError(err, ConfigReadFailed, "read the history; run as the user that owns %s", e.opts.State.Dir)
	}
	entries := make([]Entry, len(past))
	for i, p := range past {
		changes := slices.DeleteFunc(slices.Clone(p.Changes), func(c plan.Change) bool { return c.Action == plan.Unchanged })
		entries[i] = Entry{
			ID: p.ID, StartedAt: p.StartedAt, Operation: p.Operation, Actor: p.Actor, Result: EntryResult(p.Result), Summary: p.Summary, Error: p.Error,
			Changes: append([]plan.Change{}, changes...),
		}
	}
	return entries, nil
}

// prune removes from the history what need not be kept any more.
func (e *Engine) prune() {
	s := e.opts.State
	e.journals.Prune(journal.Limits{Age: s.Keep, Applies: s.KeepApplies, Bytes: s.KeepBytes})
}
