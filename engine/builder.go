package engine

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Builder collects the steps that bring one [Resource] about. The engine numbers them and undoes those that change a
// file or a link by itself.
type Builder struct {
	obs *host.Observer
	// planned is what the paths hold that earlier resources of the same plan write.
	planned map[string]*plan.State
	address string
	change  plan.Change
	steps   []plan.Step
}

// Change says what happens to the resource and why. Without it, a resource with steps counts as an update.
func (b *Builder) Change(action plan.Action, reason string) {
	b.change.Action, b.change.Reason = action, reason
}

// WriteFile adds the step, if one is needed, after which the file holds content with these permission bits.
func (b *Builder) WriteFile(path string, content []byte, perm fs.FileMode) error {
	return b.path(path, plan.File(content, perm))
}

// Symlink adds the step, if one is needed, after which path is a symbolic link to target.
func (b *Builder) Symlink(target, path string) error {
	return b.path(path, plan.Link(target))
}

// Remove adds the step, if one is needed, after which there is nothing at path.
func (b *Builder) Remove(path string) error {
	return b.path(path, &plan.State{})
}

// State returns what a path will hold when it is this resource's turn: what is there now, or what a resource before it
// in the same plan makes of it.
func (b *Builder) State(path string) (*plan.State, error) {
	if s, ok := b.planned[path]; ok {
		return s, nil
	}
	return b.obs.State(path)
}

func (b *Builder) path(path string, after *plan.State) error {
	before, err := b.State(path)
	if err != nil {
		return err
	}
	if !host.Same(before, after) {
		b.steps = append(b.steps, pathStep(b.address, path, before, after))
		b.planned[path] = after
	}
	return nil
}

// Step adds a step of a kind of one's own. ID and Address are filled in.
func (b *Builder) Step(s plan.Step) {
	s.Address = b.address
	b.steps = append(b.steps, s)
}

// pathStep is the step that makes a path hold what is wanted there. Its diff is drawn by [complete].
func pathStep(address, path string, before, after *plan.State) plan.Step {
	s := plan.Step{Address: address, Path: path, Before: before, After: after}
	base := filepath.Base(path)
	switch {
	case after.Exists && after.IsLink():
		s.Kind, s.Description, s.Undo = plan.CreateSymlink, "link "+base+" to "+after.Target, "remove the link"
	case after.Exists:
		s.Kind, s.Description, s.Undo = plan.WriteFile, "write "+base, "remove the file"
	case before.IsLink():
		s.Kind, s.Description, s.Undo = plan.RemoveSymlink, "remove the link "+base, "link it again"
	default:
		s.Kind, s.Description, s.Undo = plan.RemoveFile, "remove "+base, "put the file back"
	}
	if after.Exists && before.Exists {
		s.Undo = "put back what was there"
	}
	return s
}

// planOwn lets the caller's own resources plan themselves.
func (pl *planner) planOwn(ctx context.Context) error {
	planned := map[string]*plan.State{}
	for _, r := range pl.req.Resources {
		if !pl.targeted(r.Address()) {
			continue
		}
		b := &Builder{obs: pl.s.obs, planned: planned, address: r.Address(), change: plan.Change{Address: r.Address()}}
		if err := r.Plan(ctx, pl.s.obs, b); err != nil {
			return fmt.Errorf("plan %s: %w", r.Address(), err)
		}
		if b.change.Action == "" {
			b.Change(map[bool]plan.Action{true: plan.Update, false: plan.Unchanged}[len(b.steps) > 0], "")
		}
		pl.changes = append(pl.changes, b.change)
		pl.own = append(pl.own, b.steps...)
	}
	return nil
}
