package engine

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A stateCache remembers the states of files within one process, so that a server with thousands of routes does not read
// them all for a change of one. An entry holds as long as the file's identity, size and times are what they were.
type stateCache struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]cachedState
	// headers are those of the files in known: parsing one costs more than finding its file unchanged.
	headers map[string]header
}

type cachedState struct {
	key   fileKey
	state *plan.State
	text  string // state.String(), which costs a hash
}

// A header is what a managed file was found to say of itself.
type header struct {
	of      *plan.State
	managed resources.Managed
	err     error
}

// A fileKey changes whenever a file does, but for changes within one tick of the kernel's clock.
type fileKey struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64
	mode         uint32
	uid, gid     uint32
}

// racy is how old a file must be for its times to prove that it has not changed since: the kernel's clock, which stamps
// files, advances in steps of up to 10 ms.
const racy = 50 * time.Millisecond

func newStateCache(clock func() time.Time) *stateCache {
	return &stateCache{clock: clock, known: map[string]cachedState{}, headers: map[string]header{}}
}

func keyOf(info fs.FileInfo) (fileKey, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileKey{}, false
	}
	return fileKey{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, true
}

// state is readState, from memory where the file is the same. The content must not be changed by the caller.
func (c *stateCache) state(fsys FS, name string) (*plan.State, string, error) {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		c.forget(name)
		return &plan.State{}, "absent", nil
	}
	if err != nil {
		return nil, "", err
	}
	key, cacheable := keyOf(info)
	c.mu.Lock()
	known, ok := c.known[name]
	c.mu.Unlock()
	if ok && cacheable && known.key == key {
		return known.state, known.text, nil
	}
	s, err := readStateOf(fsys, name, info)
	if err != nil {
		return nil, "", err
	}
	text := s.String()
	if cacheable && c.clock().UnixNano()-key.ctime > int64(racy) {
		c.mu.Lock()
		c.known[name] = cachedState{key: key, state: s, text: text}
		c.mu.Unlock()
	}
	return s, text, nil
}

// header is resources.ParseManaged, from memory where the state is the one it was parsed from.
func (c *stateCache) header(name string, s *plan.State) (resources.Managed, error) {
	c.mu.Lock()
	h, ok := c.headers[name]
	remember := c.known[name].state == s
	c.mu.Unlock()
	if ok && h.of == s {
		return h.managed, h.err
	}
	h = header{of: s}
	h.managed, h.err = resources.ParseManaged(s.Content)
	if remember {
		c.mu.Lock()
		c.headers[name] = h
		c.mu.Unlock()
	}
	return h.managed, h.err
}

func (c *stateCache) forget(name string) {
	c.mu.Lock()
	delete(c.known, name)
	delete(c.headers, name)
	c.mu.Unlock()
}
