package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// planRollback plans to put back what one apply of the past replaced.
func (pl *planner) planRollback(id string) error {
	past, err := pl.e.journals.Entry(id)
	if errors.Is(err, fs.ErrNotExist) {
		return failf(NotFound, nil, "there is no apply %.80q in the history; 'proxy-manager history' shows those that are kept", id)
	}
	if err != nil {
		return journalError(err, Internal, "read the history")
	}
	begin := &past.Begin
	switch past.Result {
	case journal.Applied, journal.Partial:
	case journal.Undone:
		return failf(InvalidInput, nil, "apply %s was undone when it failed: there is nothing to roll back", id)
	default:
		return failf(Internal, journal.ErrDamaged, "apply %s can't be rolled back: how it ended is not known", id)
	}
	pl.keepDone(begin, past.Skipped)
	now := map[string]*plan.State{}
	for _, l := range begin.Steps {
		if l.Before == nil {
			continue
		}
		if now[l.Step.Path], err = pl.s.obs.State(l.Step.Path); err != nil {
			return failf(ConfigReadFailed, err, "read what the apply wrote")
		}
	}
	if changed := changedSinceApply(begin, now); len(changed) > 0 {
		return failf(StalePlan, nil, "apply %s can't be rolled back, since what it wrote has changed: %v; roll back what came after it first, or write the routes anew", id, changed).with("changed", changed)
	}
	if pl.own, err = pl.rollbackSteps(begin, now); err != nil {
		return err
	}
	if err := pl.checkRestorable(id); err != nil {
		return err
	}
	for _, c := range begin.Changes {
		pl.changes = append(pl.changes, reversed(c, id))
	}
	pl.reload = len(pl.own) > 0
	pl.askRestored()
	return nil
}

// askRestored plans the questions about the sites that a rollback writes again and that nginx will read then, and about some
// of those that it does not touch.
func (pl *planner) askRestored() {
	after := map[string]*plan.State{}
	for _, step := range pl.own {
		after[step.Path] = step.After
	}
	will := func(path string, now *plan.State) *plan.State { return cmp.Or(after[path], now) }
	for _, address := range slices.Sorted(maps.Keys(pl.s.sites)) {
		t := pl.s.sites[address]
		file, link := will(t.path, t.file), will(t.link, t.linkState)
		if after[t.path] == nil && after[t.link] == nil || !file.Exists || !link.IsLink() {
			continue
		}
		if h := pl.e.readHeader(file.Content); h.err == nil {
			pl.askChanged(h.resource, h.managed.Certificate != nil)
		}
	}
	for address, t := range pl.s.sites {
		if after[t.path] != nil || after[t.link] != nil {
			pl.doomed[address] = true // not to be asked for as it is now
		}
	}
}

// keepDone leaves of an apply what a rollback takes back: not what was left out of it, nor files that other routes have come
// to share since.
func (pl *planner) keepDone(b *journal.Begin, skipped []string) {
	shared := pl.othersEnabled(b)
	b.Steps = slices.DeleteFunc(b.Steps, func(l journal.Logged) bool {
		if l.Before == nil && !slices.Contains(skipped, l.Step.ID) && !traitsOf(l.Step.Kind).leavesNone {
			pl.warnings = append(pl.warnings, fmt.Sprintf("not taken back: %s", l.Step.Description))
		}
		created := l.Before != nil && !l.Before.Exists
		return slices.Contains(skipped, l.Step.ID) || (shared && created && pl.e.isImplied(l.Step.Address))
	})
}

// othersEnabled reports whether a route is enabled that the apply did not touch.
func (pl *planner) othersEnabled(b *journal.Begin) bool {
	for address, t := range pl.s.sites {
		touched := slices.ContainsFunc(b.Steps, func(l journal.Logged) bool { return l.Step.Path == t.link || l.Step.Path == t.path })
		if t.ours && t.enabled && !pl.e.isImplied(address) && !touched {
			return true
		}
	}
	return false
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
		pl.certs.needed[lineageAt(m.Certificate.Fullchain)] = true
		if _, err := pl.s.obs.ReadFile(m.Certificate.Fullchain); errors.Is(err, fs.ErrNotExist) {
			return failf(StalePlan, nil, "apply %s can't be rolled back as it was, since the certificate of %s has been deleted meanwhile: put the route again, and run 'proxy-manager ssl %s'", id, step.Address, nameOf(step.Address)).
				with("changed", []string{m.Certificate.Fullchain})
		}
	}
	return nil
}

// changedSinceApply returns the paths that no longer hold what the apply left there.
func changedSinceApply(b *journal.Begin, now map[string]*plan.State) []string {
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
func (pl *planner) rollbackSteps(b *journal.Begin, now map[string]*plan.State) ([]journal.Step, error) {
	first := map[string]int{}
	for i, l := range b.Steps {
		if _, seen := first[l.Step.Path]; !seen && l.Before != nil {
			first[l.Step.Path] = i
		}
	}
	var steps []journal.Step
	for i, l := range slices.Backward(b.Steps) {
		if l.Before == nil || first[l.Step.Path] != i {
			continue
		}
		before := l.Before.State()
		if host.Same(now[l.Step.Path], before) {
			continue
		}
		step, err := pl.withDirs(pathStep(l.Step.Address, l.Step.Path, now[l.Step.Path], before))
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
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
