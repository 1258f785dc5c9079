package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
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

// pruneHistory removes what is older than it has to be kept. It is housekeeping: whatever fails is tried again next time.
func (e *Engine) pruneHistory() {
	dir := filepath.Join(e.opts.StateDir, historyDir)
	files, err := e.fs.ReadDir(dir)
	if err != nil {
		return
	}
	oldest := newestKept(e.opts.Clock().Add(-e.opts.Keep))
	for _, f := range files {
		if f.Name() < oldest {
			_ = e.fs.Remove(filepath.Join(dir, f.Name()))
		}
	}
}

// newestKept returns an id such that every apply before that time has a smaller one: ids begin with their time.
func newestKept(t time.Time) string { return t.UTC().Format("20060102T150405.000000") }

// planRollback plans to put back what one apply of the past replaced.
func (pl *planner) planRollback(id string) error {
	records, err := pl.e.readHistory(filepath.Base(id))
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(records) == 0) {
		return failf(NotFound, nil, "there is no apply %.80q in the history; 'proxy-manager history' shows those that are kept", id)
	}
	if err != nil {
		return failf(Internal, err, "read the history")
	}
	if result := entryOf(records).Result; result == "undone" {
		return failf(InvalidInput, nil, "apply %s was undone when it failed: there is nothing to roll back", id)
	}
	begin := records[0].Begin
	now := map[string]*plan.State{}
	for _, l := range begin.Steps {
		if l.Before == nil {
			continue
		}
		if now[l.Step.Path], err = pl.s.obs.State(l.Step.Path); err != nil {
			return failf(ConfigWriteFailed, err, "read what the apply wrote")
		}
	}
	if changed := changedSinceApply(begin, now); len(changed) > 0 {
		return failf(StalePlan, nil, "apply %s can't be rolled back, since what it wrote has changed: %v; roll back what came after it first, or write the routes anew", id, changed).with("changed", changed)
	}
	pl.own = rollbackSteps(begin, now)
	if err := pl.checkRestorable(id); err != nil {
		return err
	}
	for _, c := range begin.Changes {
		pl.changes = append(pl.changes, reversed(c, id))
	}
	pl.reload = len(pl.own) > 0
	return nil
}

// checkRestorable refuses to bring back a file that names a certificate which is gone: nginx could not start with it.
func (pl *planner) checkRestorable(id string) error {
	for _, step := range pl.own {
		if !step.After.Exists || step.After.IsLink() {
			continue
		}
		m, err := resources.ParseManaged(step.After.Content)
		if err != nil || m.Certificate == nil {
			continue
		}
		if _, err := pl.s.obs.ReadFile(m.Certificate.Fullchain); errors.Is(err, fs.ErrNotExist) {
			return failf(StalePlan, nil, "apply %s can't be rolled back as it was, since the certificate of %s has been deleted meanwhile: put the route again, and run 'proxy-manager ssl %s'", id, m.Route.Address(), m.Name).
				with("changed", []string{m.Certificate.Fullchain})
		}
	}
	return nil
}

// changedSinceApply returns the paths that no longer hold what the apply left there.
func changedSinceApply(b *begin, now map[string]*plan.State) []string {
	left := map[string]string{}
	for _, l := range b.Steps {
		if l.Before != nil {
			left[l.Step.Path] = l.After
		}
	}
	var changed []string
	for path, state := range left {
		if now[path].String() != state {
			changed = append(changed, path)
		}
	}
	slices.Sort(changed)
	return changed
}

// rollbackSteps are the apply's path steps backwards, each path straight to what it held at first.
func rollbackSteps(b *begin, now map[string]*plan.State) []plan.Step {
	first := map[string]int{}
	for i, l := range b.Steps {
		if _, seen := first[l.Step.Path]; !seen && l.Before != nil {
			first[l.Step.Path] = i
		}
	}
	var steps []plan.Step
	for i, l := range slices.Backward(b.Steps) {
		if l.Before == nil || first[l.Step.Path] != i {
			continue
		}
		if before := l.Before.state(); !sameState(now[l.Step.Path], before) {
			steps = append(steps, pathStep(l.Step.Address, l.Step.Path, now[l.Step.Path], before))
		}
	}
	return steps
}

func reversed(c plan.Change, id string) plan.Change {
	reason := fmt.Sprintf("as before apply %s", id)
	switch c.Action {
	case plan.Create:
		return plan.Change{Address: c.Address, Action: plan.Delete, Reason: reason}
	case plan.Delete:
		return plan.Change{Address: c.Address, Action: plan.Create, Reason: reason}
	default:
		return plan.Change{Address: c.Address, Action: c.Action, Reason: reason}
	}
}

// Rollback asks for what an apply of the past replaced to be put back.
func Rollback(id string) Request {
	return Request{Operation: "rollback", Rollback: id, KeepUnlisted: true}
}
