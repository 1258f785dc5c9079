package engine

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A stateCache remembers what was found at paths within one process, so that a server with thousands of routes does not read
// them all for a change of one. A file is the same as long as its identity, size and times are. A symbolic link can't be
// written to, so it is the same as long as its directory is, which is one look for all of them.
type stateCache struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]*found
	lists map[string]list
}

// A found is what was found at a path.
type found struct {
	key    fileKey
	dir    fileKey // of its directory, for a link
	state  *plan.State
	text   string // state.String(), which costs a hash
	parsed *parsed
}

// A parsed is what a managed file says of itself. It is parsed once: that costs more than finding the file unchanged.
type parsed struct {
	once   sync.Once
	header resources.Managed
	err    error
}

func newFound(key fileKey, s *plan.State) *found {
	f := &found{key: key, state: s, text: s.String()}
	if !s.IsLink() {
		f.parsed = &parsed{}
	}
	return f
}

// header is resources.ParseManaged of a file.
func (f *found) header() (resources.Managed, error) {
	p := f.parsed
	p.once.Do(func() { p.header, p.err = resources.ParseManaged(f.state.Content) })
	return p.header, p.err
}

var nothing = newFound(fileKey{}, &plan.State{})

// A list is the names in a directory, in order, but for hidden ones.
type list struct {
	key   fileKey
	names []string
	text  string // its fingerprint
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
	return &stateCache{clock: clock, known: map[string]*found{}, lists: map[string]list{}}
}

// settled reports whether something with this key can't have changed since without its key having done so, too.
func (c *stateCache) settled(k fileKey) bool {
	return k != fileKey{} && c.clock().UnixNano()-k.ctime > int64(racy)
}

// keyOf returns the zero key where the system tells too little for one.
func keyOf(info fs.FileInfo) (key fileKey, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileKey{}, false
	}
	return fileKey{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, true
}

// dirKey returns the key of a directory, also of one that the path is a link to. It is zero if there is none.
func dirKey(fsys FS, path string) fileKey {
	info, err := fsys.Lstat(path + "/.")
	if err != nil || !info.IsDir() {
		return fileKey{}
	}
	key, _ := keyOf(info)
	return key
}

// look finds what is at a path, from memory where it is the same. dir is its directory's key. The result must not be changed.
func (c *stateCache) look(fsys FS, path string, dir fileKey) (*found, error) {
	c.mu.Lock()
	known := c.known[path]
	c.mu.Unlock()
	if known != nil && known.state.IsLink() && known.dir == dir && dir != (fileKey{}) {
		return known, nil
	}
	info, err := fsys.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.remember(path, nil)
		return nothing, nil
	}
	if err != nil {
		return nil, err
	}
	key, ok := keyOf(info)
	if ok && known != nil && known.key == key {
		if !known.state.IsLink() || !c.settled(dir) {
			return known, nil
		}
		again := *known
		again.dir = dir
		c.remember(path, &again)
		return &again, nil
	}
	s, err := readStateOf(fsys, path, info)
	if err != nil {
		return nil, err
	}
	f := newFound(key, s)
	if s.IsLink() && c.settled(dir) {
		f.dir = dir
	}
	if c.settled(key) {
		c.remember(path, f)
	}
	return f, nil
}

func (c *stateCache) remember(path string, f *found) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil {
		delete(c.known, path)
	} else {
		c.known[path] = f
	}
}

// list returns the names in a directory, from memory where it is the same.
func (c *stateCache) list(fsys FS, path string, dir fileKey) (list, error) {
	c.mu.Lock()
	known := c.lists[path]
	c.mu.Unlock()
	if known.key == dir && dir != (fileKey{}) {
		return known, nil
	}
	entries, err := fsys.ReadDir(path)
	if err != nil {
		return list{}, err
	}
	l := list{key: dir, names: make([]string, 0, len(entries))}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			l.names = append(l.names, e.Name())
		}
	}
	slices.Sort(l.names)
	l.text = "directory sha256:" + plan.Hash([]byte(strings.Join(l.names, "\n")))
	if c.settled(dir) {
		c.mu.Lock()
		c.lists[path] = l
		c.mu.Unlock()
	}
	return l, nil
}
