package engine

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Builder collects the steps that bring one [Resource] about. The engine numbers them and undoes those that change a
// file or a link by itself.
type Builder struct {
	pl       *planner
	resource Resource
	change   plan.Change
	steps    []journal.Step
	draft    *draft
	quiet    bool // what happens to the resource is told elsewhere
}

// Change says what happens to the resource and why. Without it, a resource with steps counts as an update. What happens to
// a [Site] the engine sees by itself.
func (b *Builder) Change(action plan.Action, reason string) {
	b.change.Action, b.change.Reason = action, reason
}

// Settings are the host and its nginx, as far as a text that nginx reads depends on them.
func (b *Builder) Settings() resources.Settings { return b.pl.s.settings }

// Site says what text nginx reads of a resource that is a [Site]; the engine puts the header before it, and plans the file,
// the link and the reload.
func (b *Builder) Site(text []byte) error {
	return b.site(func() ([]byte, error) {
		spec, err := json.Marshal(b.resource)
		if err != nil {
			return nil, err
		}
		return resources.Seal(kindName(b.resource.Address()), spec, nil, text)
	})
}

// WriteFile adds the step, if one is needed, after which the file holds content with these permission bits. Directories that
// are missing above it are made when the apply begins, and go again if it is undone; everybody may enter them.
func (b *Builder) WriteFile(path string, content []byte, perm fs.FileMode) (needed bool, err error) {
	return b.path(path, plan.File(content, perm))
}

// Symlink adds the step, if one is needed, after which path is a symbolic link to target. Directories are made as for
// [Builder.WriteFile].
func (b *Builder) Symlink(target, path string) (needed bool, err error) {
	return b.path(path, plan.Link(target))
}

// Remove adds the step, if one is needed, after which there is nothing at path.
func (b *Builder) Remove(path string) (needed bool, err error) {
	return b.path(path, &plan.State{})
}

// State returns what a path will hold when it is this resource's turn: what is there now, or what a resource before it
// in the same plan makes of it. Two resources that each change a part of one file compose by it.
func (b *Builder) State(path string) (*plan.State, error) {
	if s, ok := b.pl.written[path]; ok {
		return s, nil
	}
	s, err := b.pl.s.obs.State(path)
	if err != nil {
		return nil, failf(ConfigReadFailed, err, "look at what %s replaces", b.resource.Address())
	}
	return s, nil
}

func (b *Builder) path(path string, after *plan.State) (needed bool, err error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return false, failf(InvalidInput, nil, "%q is not an absolute, clean path", path)
	}
	before, err := b.State(path)
	if err != nil || host.Same(before, after) {
		return false, err
	}
	step, err := b.pl.withDirs(pathStep(b.resource.Address(), path, before, after))
	if err != nil {
		return false, err
	}
	b.steps = append(b.steps, step)
	b.pl.written[path] = after
	return true, nil
}

// Step adds a step of a kind of one's own, which must be registered. ID and Address are filled in.
func (b *Builder) Step(s plan.Step) error {
	s.Address = b.resource.Address()
	if _, own := b.pl.e.foreign(s.Kind); !own {
		return failf(InvalidInput, nil, "%s has a step of kind %q, which is no registered kind of one's own (Options.Kinds)", s.Address, s.Kind)
	}
	b.steps = append(b.steps, journal.Step{Step: s})
	return nil
}

// pathStep is the step that makes a path hold what is wanted there. Its diff is drawn by [complete].
func pathStep(address, path string, before, after *plan.State) journal.Step {
	s := journal.Step{Step: plan.Step{Address: address, Path: path}, Before: before, After: after}
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

// withDirs adds to a step the directories that its path lacks, unless a step before it has them made already.
func (pl *planner) withDirs(s journal.Step) (journal.Step, error) {
	if !s.After.Exists {
		return s, nil
	}
	if pl.made[s.Path] {
		return s, failf(InvalidInput, nil, "%s can't be written: the plan makes a directory there", s.Path)
	}
	var err error
	if s.Dirs, err = pl.missingAbove(s.Path); err != nil {
		return s, err
	}
	for _, dir := range s.Dirs {
		pl.made[dir] = true
	}
	switch len(s.Dirs) {
	case 0:
	case 1:
		s.Description += ", and make the directory " + s.Dirs[0]
		s.Undo += ", and the directory if it is empty"
	default:
		s.Description += ", and make the directories " + strings.Join(s.Dirs, " and ")
		s.Undo += ", and the directories if they are empty"
	}
	return s, nil
}

// missingAbove returns the directories above a path that nobody has made or plans to make, the outermost first.
func (pl *planner) missingAbove(path string) (missing []string, err error) {
	for dir := filepath.Dir(path); !pl.made[dir]; dir = filepath.Dir(dir) {
		if _, taken := pl.written[dir]; taken {
			return nil, failf(InvalidInput, nil, "%s can't be written: the plan makes %s something else than a directory", path, dir)
		}
		there, err := pl.s.obs.HasDir(dir)
		if err != nil {
			return nil, failf(ConfigReadFailed, err, "look for the directory of %s", path)
		}
		if there {
			break
		}
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	return missing, nil
}
