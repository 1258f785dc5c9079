package host

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Cache remembers what was found at paths within one process, so that a server with thousands of routes does not read
// them all for a change of one. A file is the same as long as its identity, size and times are. A symbolic link can't be
// written to, so it is the same as long as its directory is, which is one look for all of them.
type Cache struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]*Found
	lists map[string]list
}

// A Found is what was found at a path.
type Found struct {
	// State must not be changed.
	State *plan.State

	key   Key
	dir   Key    // of its directory, for a link
	text  string // State.String(), which costs a hash
	memo  *memo
	other bool
}

// A memo is what was made of a content. It is made once: to parse a file costs more than to find it unchanged.
type memo struct {
	once  sync.Once
	value any
}

func newFound(key Key, s *plan.State) *Found {
	return &Found{key: key, State: s, text: s.String(), memo: &memo{}}
}

// Other reports whether the name is taken by what is no site: a directory, a FIFO, a device or far too large a file. Its
// content is not known.
func (f *Found) Other() bool { return f.other }

// ChangedAt is when what was found was last changed in any way, its rights, owner and names included (st_ctime of stat(2)),
// which no program can set back; zero where the system does not tell.
func (f *Found) ChangedAt() time.Time {
	if f.key == (Key{}) {
		return time.Time{}
	}
	return time.Unix(0, f.key.ctime)
}

// Memo returns what read makes of the content, from memory where the file is still the same. All callers within a process
// must mean the same by it.
func (f *Found) Memo(read func(content []byte) any) any {
	f.memo.once.Do(func() { f.memo.value = read(f.State.Content) })
	return f.memo.value
}

var nothing = newFound(Key{}, &plan.State{})

// A list is the names in a directory, in order, but for hidden ones.
type list struct {
	key   Key
	names []string
	text  string // its fingerprint
}

// A Key changes whenever a file does, but for changes within one tick of the kernel's clock.
type Key struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64
	mode         uint32
	uid, gid     uint32
}

// racy is how old a file must be for its times to prove that it has not changed since: the kernel's clock, which stamps
// files, advances in steps of up to 10 ms.
const racy = 50 * time.Millisecond

// NewCache returns an empty cache. The clock tells whether a time stamp is old enough to prove anything.
func NewCache(clock func() time.Time) *Cache {
	return &Cache{clock: clock, known: map[string]*Found{}, lists: map[string]list{}}
}

// Settled reports whether what has this key can't have changed before now without its key having done so, too.
func (k Key) Settled(now time.Time) bool { return now.UnixNano()-k.ctime > int64(racy) }

// ChangedSince reports whether what has this key may have changed at or after t.
func (k Key) ChangedSince(t time.Time) bool { return k.ctime >= t.UnixNano() }

// settled reports whether something with this key can't have changed since without its key having done so, too.
func (c *Cache) settled(k Key) bool {
	return k != Key{} && k.Settled(c.clock())
}

// KeyOf returns the zero key where the system tells too little for one.
func KeyOf(info fs.FileInfo) (key Key, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Key{}, false
	}
	return Key{
		dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
	}, true
}

// dirKey returns the key of a directory, also of one that the path is a link to. It is zero if there is none.
func dirKey(fsys FS, path string) Key {
	info, err := fsys.Lstat(path + "/.")
	if err != nil || !info.IsDir() {
		return Key{}
	}
	key, _ := KeyOf(info)
	return key
}

// look finds what is at a path, from memory where it is the same. dir is its directory's key. The result must not be changed.
func (c *Cache) look(fsys FS, path string, dir Key) (*Found, error) {
	c.mu.Lock()
	known := c.known[path]
	c.mu.Unlock()
	if known != nil && known.State.IsLink() && known.dir == dir && dir != (Key{}) {
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
	key, ok := KeyOf(info)
	if ok && known != nil && known.key == key {
		if !known.State.IsLink() || !c.settled(dir) {
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

func (c *Cache) remember(path string, f *Found) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f == nil {
		delete(c.known, path)
	} else {
		c.known[path] = f
	}
}

// list returns the names in a directory, from memory where it is the same.
func (c *Cache) list(fsys FS, path string, dir Key) (list, error) {
	c.mu.Lock()
	known := c.lists[path]
	c.mu.Unlock()
	if known.key == dir && dir != (Key{}) {
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
