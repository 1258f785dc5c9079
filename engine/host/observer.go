package host

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
	cache *Cache

	mu   sync.Mutex
	seen map[string]string
	dirs map[string]Key      // as they were when they were first asked for
	read map[string][]string // what ReadDir has found: one pass sees one listing
}

// NewObserver returns an observer of a file system, with what the cache knows of it. What it finds must not be changed.
func NewObserver(fsys FS, cache *Cache) *Observer {
	return &Observer{fs: fsys, cache: cache, seen: map[string]string{}, dirs: map[string]Key{}, read: map[string][]string{}}
}

// State returns what is at a path, without following a link there. Nothing there is no error.
func (o *Observer) State(path string) (*plan.State, error) {
	f, err := o.Look(path)
	if err != nil {
		return nil, err
	}
	return f.State, nil
}

// Look is State with what is remembered of the content, see [Found.Memo]. The error has [ErrOther] in its chain where the
// name is taken by something else than a file or a link.
func (o *Observer) Look(path string) (*Found, error) {
	f, err := o.cache.look(o.fs, path, o.dirKey(filepath.Dir(path)))
	if err != nil {
		return nil, err
	}
	o.note(path, f.text)
	return f, nil
}

// LookAtAny is Look for a name that may be taken by a directory, a FIFO or a file that is larger than [MaxFileSize]: what is
// there then exists, and nothing more is known of it, see [Found.Other].
func (o *Observer) LookAtAny(path string) (*Found, error) {
	f, err := o.Look(path)
	text := ""
	switch {
	case errors.Is(err, ErrOther):
		text = "neither file nor link"
	case errors.Is(err, syscall.EFBIG):
		text = "too large a file"
	default:
		return f, err
	}
	o.Note(path, text)
	other := newFound(Key{}, &plan.State{Exists: true})
	other.text, other.other = text, true
	return other, nil
}

// Again returns what is at a path now, in the words of an earlier fingerprint of it, so that the two can be compared. It is
// not ok for what is no path, such as a program's version.
func (o *Observer) Again(was plan.Fingerprint) (now string, ok bool) {
	if !filepath.IsAbs(was.Path) || strings.HasPrefix(was.State, "version ") {
		return "", false
	}
	var err error
	switch {
	case strings.HasPrefix(was.State, "content "):
		_, err = o.ReadFile(was.Path)
	case was.State == "directory":
		_, err = o.HasDir(was.Path)
	case strings.HasPrefix(was.State, "directory "):
		_, err = o.ReadDir(was.Path)
	case strings.HasPrefix(was.State, matchesPrefix):
		_, err = o.hidden(filepath.Dir(was.Path), filepath.Base(was.Path))
	default:
		var f *Found
		if f, err = o.LookAtAny(was.Path); err == nil {
			return f.text, true
		}
	}
	if err != nil {
		return "unreadable", true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[was.Path], true
}

// dirKey returns what a directory's key was before anything in it was looked at.
func (o *Observer) dirKey(path string) Key {
	o.mu.Lock()
	defer o.mu.Unlock()
	key, known := o.dirs[path]
	if !known {
		key = dirKey(o.fs, path)
		o.dirs[path] = key
	}
	return key
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
	names, known := o.read[path]
	o.mu.Unlock()
	if known {
		return names, nil
	}
	l, err := o.cache.list(o.fs, path, o.dirKey(path))
	if errors.Is(err, fs.ErrNotExist) {
		o.note(path, "absent")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o.note(path, l.text)
	o.mu.Lock()
	o.read[path] = l.names
	o.mu.Unlock()
	return l.names, nil
}

// HasDir reports whether there is a directory at a path, or a link that may lead to one. Anything else there is an error.
func (o *Observer) HasDir(path string) (bool, error) {
	info, err := o.fs.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.note(path, "absent")
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir() && info.Mode()&fs.ModeSymlink == 0:
		return false, &fs.PathError{Op: "look for a directory", Path: path, Err: syscall.ENOTDIR}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := o.seen[path]; !known { // its listing says more
		o.seen[path] = "directory"
	}
	return true, nil
}

// Note records the state of something that is no file, such as a program's version.
func (o *Observer) Note(name, state string) { o.note(name, state) }

func (o *Observer) note(path, state string) {
	o.mu.Lock()
	o.seen[path] = state
	o.mu.Unlock()
}

// Join is filepath.Join for a clean path and a plain name, of which thousands are joined.
func Join(dir, base string) string {
	return strings.TrimSuffix(dir, "/") + "/" + base
}

// Fingerprints returns all that was seen, in order of path.
func (o *Observer) Fingerprints() []plan.Fingerprint {
	o.mu.Lock()
	defer o.mu.Unlock()
	prints := make([]plan.Fingerprint, 0, len(o.seen))
	for path, state := range o.seen {
		prints = append(prints, plan.Fingerprint{Path: path, State: state})
	}
	slices.SortFunc(prints, func(a, b plan.Fingerprint) int { return cmp.Compare(a.Path, b.Path) })
	return prints
}

// Contents are the fingerprints of all that was seen to exist, by path, but for listings: what nginx reads, and a little
// more.
func (o *Observer) Contents() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := make(map[string]string, len(o.seen))
	for path, state := range o.seen {
		if isContent(path, state) {
			m[path] = state
		}
	}
	return m
}

// Holds reports whether these are the [Observer.Contents].
func (o *Observer) Holds(contents map[string]string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for path, state := range o.seen {
		if !isContent(path, state) {
			continue
		}
		if n++; contents[path] != state {
			return false
		}
	}
	return n == len(contents)
}

// isContent leaves out what is noted by another name than a path: the settings that texts are made with, of which nginx knows nothing.
func isContent(path, state string) bool {
	return filepath.IsAbs(path) && state != "absent" && !strings.HasPrefix(state, "directory") && !strings.HasPrefix(state, matchesPrefix)
}
