package certificate

import (
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Cache remembers certificates within one process: to read and check a thousand takes a tenth of a second, and to see
// that they are the same only their inodes.
type Cache struct {
	fs    host.FS
	clock func() time.Time
	mu    sync.Mutex
	known map[string]cached // by the chain's path
}

type cached struct {
	keys pairKeys
	pair Pair
}

// NewCache returns an empty cache for a file system. The clock tells whether a time stamp is old enough to prove anything.
func NewCache(fsys host.FS, clock func() time.Time) *Cache {
	return &Cache{fs: fsys, clock: clock, known: map[string]cached{}}
}

// Read returns what is in the files, from memory where they are the same. That there is nothing is no error, nor is what
// nginx could not load: it has no leaf.
func (c *Cache) Read(files resources.CertificateFiles) (Pair, error) {
	keys, cacheable := keysOf(c.fs, files)
	c.mu.Lock()
	known, ok := c.known[files.Fullchain]
	c.mu.Unlock()
	if ok && cacheable && known.keys == keys {
		return known.pair, nil
	}
	pair, err := read(c.fs, files)
	if err != nil {
		return pair, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cacheable && keys.settled(c.clock()) {
		c.known[files.Fullchain] = cached{keys, pair}
	} else {
		delete(c.known, files.Fullchain)
	}
	return pair, nil
}

// pairKeys identify the chain's link and what it leads to, and the key's.
type pairKeys [4]host.Key

func keysOf(fsys host.FS, files resources.CertificateFiles) (keys pairKeys, ok bool) {
	for i, name := range []string{files.Fullchain, files.PrivateKey} {
		info, err := fsys.Lstat(name)
		if err != nil {
			return keys, false
		}
		if keys[2*i], ok = host.KeyOf(info); !ok {
			return keys, false
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := fsys.Readlink(name)
		if err != nil {
			return keys, false
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		if info, err = fsys.Lstat(target); err != nil || !info.Mode().IsRegular() {
			return keys, false
		}
		if keys[2*i+1], ok = host.KeyOf(info); !ok {
			return keys, false
		}
	}
	return keys, true
}

// settled reports whether nothing of this can have changed before now without its key having done so, too.
func (k pairKeys) settled(now time.Time) bool {
	for _, key := range k {
		if !key.Settled(now) {
			return false
		}
	}
	return true
}
