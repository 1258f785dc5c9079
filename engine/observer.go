package engine

import (
	"cmp"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// An Observer is the only way in which planning looks at the host. It remembers a fingerprint of everything it is asked
// for, absence included, so that no planner can forget what its plan depends on. It may be used from several goroutines.
type Observer struct {
	fs    FS
	cache *stateCache

	mu   sync.Mutex
	seen map[string]string
	dirs map[string][]string // what ReadDir has found: one pass sees one listing, and reads it once
}

func newObserver(fsys FS, cache *stateCache) *Observer {
	return &Observer{fs: fsys, cache: cache, seen: map[string]string{}, dirs: map[string][]string{}}
}

// State returns what is at a path, without following a link there. Nothing there is no error.
func (o *Observer) State(path string) (*plan.State, error) {
	s, text, err := o.cache.state(o.fs, path)
	if err != nil {
		return nil, err
	}
	o.note(path, text)
	return s, nil
}

// ReadFile returns a file's content, following links; the fingerprint is of the content reached.
func (o *Observer) ReadFile(path string) ([]byte, error) {
	b, err := o.fs.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.note(path, "absent")
	case err == nil && len(b) > MaxFileSize:
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EFBIG}
	case err == nil:
		o.note(path, "content sha256:"+plan.Hash(b))
	}
	return b, err
}

// ReadDir returns the names in a directory that matter to nginx, in order: those that do not begin with a dot.
// A directory that is not there is empty. The caller must not change the slice.
func (o *Observer) ReadDir(path string) ([]string, error) {
	o.mu.Lock()
	names, known := o.dirs[path]
	o.mu.Unlock()
	if known {
		return names, nil
	}
	entries, err := o.fs.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		o.note(path, "absent")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names = make([]string, 0, len(entries))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	o.note(path, "directory sha256:"+plan.Hash([]byte(strings.Join(names, "\n"))))
	o.mu.Lock()
	o.dirs[path] = names
	o.mu.Unlock()
	return names, nil
}

// Note records the state of something that is no file, such as a program's version.
func (o *Observer) Note(name, state string) { o.note(name, state) }

func (o *Observer) note(path, state string) {
	o.mu.Lock()
	o.seen[path] = state
	o.mu.Unlock()
}

// glob returns the paths that nginx's include finds for a pattern, in nginx's order.
func (o *Observer) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	dir, base := filepath.Split(pattern)
	dir = filepath.Clean(dir)
	dirs := []string{dir}
	if strings.ContainsAny(dir, "*?[") {
		var err error
		if dirs, err = o.glob(dir); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, d := range dirs {
		names, err := o.ReadDir(d)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if ok, _ := filepath.Match(base, name); ok {
				paths = append(paths, filepath.Join(d, name))
			}
		}
	}
	return paths, nil
}

// fingerprints returns all that was seen, in order of path.
func (o *Observer) fingerprints() []plan.Fingerprint {
	o.mu.Lock()
	defer o.mu.Unlock()
	prints := make([]plan.Fingerprint, 0, len(o.seen))
	for path, state := range o.seen {
		prints = append(prints, plan.Fingerprint{Path: path, State: state})
	}
	slices.SortFunc(prints, func(a, b plan.Fingerprint) int { return cmp.Compare(a.Path, b.Path) })
	return prints
}
