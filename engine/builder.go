package engine

import (
	"io/fs"
	"path/filepath"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Builder collects the steps that bring one [Resource] about. The engine numbers them and undoes those that change a
// file or a link by itself.
type Builder struct {
	obs     *Observer
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
	before, err := b.obs.State(path)
	if err != nil {
		return err
	}
	if after := plan.File(content, perm); !sameState(before, after) {
		b.steps = append(b.steps, pathStep(b.address, path, before, after))
	}
	return nil
}

// Symlink adds the step, if one is needed, after which path is a symbolic link to target.
func (b *Builder) Symlink(target, path string) error {
	before, err := b.obs.State(path)
	if err != nil {
		return err
	}
	if after := plan.Link(target); !sameState(before, after) {
		b.steps = append(b.steps, pathStep(b.address, path, before, after))
	}
	return nil
}

// Remove adds the step, if one is needed, after which there is nothing at path.
func (b *Builder) Remove(path string) error {
	before, err := b.obs.State(path)
	if err != nil {
		return err
	}
	if before.Exists {
		b.steps = append(b.steps, pathStep(b.address, path, before, &plan.State{}))
	}
	return nil
}

// Step adds a step of a kind of one's own. ID and Address are filled in.
func (b *Builder) Step(s plan.Step) {
	s.Address = b.address
	b.steps = append(b.steps, s)
}

// pathStep is the step that makes a path hold what is wanted there.
func pathStep(address, path string, before, after *plan.State) plan.Step {
	s := plan.Step{Address: address, Path: path, Before: before, After: after, Diff: plan.Diff(path, before, after)}
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
