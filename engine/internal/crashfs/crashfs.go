// Package crashfs is a file system in memory that loses power.
//
// An [FS] has two images. The volatile one is what programs see. The durable one is what survives: the content of a file
// as it was when the file was last synced, and the entries of a directory as they were when the directory was last
// synced. Closing a file makes nothing durable.
//
// What a power cut leaves is the durable image and any part of what had not been synced: of a directory's changes any
// subset, of a file's content the old, the new, the new cut short, or zeros where the new bytes should be. POSIX allows
// all of that, and file systems in use do it (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014). Only
// renames are taken to be atomic, as every Linux file system has them.
//
// [FS.Choices] counts the possibilities, and [FS.Crash] makes one of them come true. [FS.Before] sees every call, and can
// make it fail, or make a sync lie.
package crashfs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
)

// An FS is a file system in memory. It is a host.FS with [FS.Clone], [FS.Crash] and what they need.
type FS struct {
	// Before, if set, is called ahead of each call. An error makes the call fail with it and without any effect, but see
	// [ErrShortWrite] and [ErrLie]. It must not call the file system, [FS.Clone] excepted.
	Before func(Op) error
	// NoLinks makes Link fail, as on a file system that has no hard links.
	NoLinks bool

	mu     sync.Mutex
	inodes map[uint64]*inode
	last   uint64 // the last inode number given out
	ticks  int64  // advances with every change
}

// An Op is one call.
type Op struct {
	Name string // the method's: Lstat, ReadFile, …, Write, Sync
	Path string
	// Changes says that the call may change one of the images.
	Changes bool
}

// Errors of [FS.Before] that mean more than failing.
var (
	// ErrShortWrite makes a Write take half of the bytes and then fail with ENOSPC.
	ErrShortWrite = errors.New("short write")
	// ErrLie makes a Sync or SyncDir succeed without having made anything durable.
	ErrLie = errors.New("lie")
)

const rootInode = 1

type inode struct {
	mode     fs.FileMode // type and permission bits
	uid, gid int
	data     []byte // never changed in place
	target   string
	number   uint64
	changed  int64 // when, in ticks

	// synced is what a crash leaves of a file for certain; dirty says that the file differs from it.
	synced attributes
	dirty  bool

	// Of a directory: the entries, those that a crash leaves for certain, and the changes in between, in order.
	entries, durable map[string]uint64
	pending          []*entryChange
}

type attributes struct {
	data     []byte
	uid, gid int
}

// An entryChange is what one call does to a directory's entries, all at once.
type entryChange struct {
	set   map[string]uint64 // 0 removes the entry
	needs *entryChange      // the other half of a rename between directories: without it the file would be nowhere
	done  bool              // it is durable
}

func (c *entryChange) apply(entries map[string]uint64) {
	for name, ino := range c.set {
		if ino == 0 {
			delete(entries, name)
		} else {
			entries[name] = ino
		}
	}
}

// New returns an empty file system.
func New() *FS {
	f := &FS{inodes: map[uint64]*inode{}, last: rootInode, ticks: 1}
	f.inodes[rootInode] = newDir(0o755)
	f.inodes[rootInode].number = rootInode
	return f
}

func newDir(perm fs.FileMode) *inode {
	return &inode{mode: fs.ModeDir | perm.Perm(), uid: os.Geteuid(), gid: os.Getegid(), entries: map[string]uint64{}, durable: map[string]uint64{}}
}

// Clone returns a copy that shares nothing with f, and has no Before.
func (f *FS) Clone() *FS {
	c := &FS{inodes: make(map[uint64]*inode, len(f.inodes)), last: f.last, ticks: f.ticks, NoLinks: f.NoLinks}
	copies := map[*entryChange]*entryChange{}
	for ino, n := range f.inodes {
		m := *n
		m.entries, m.durable, m.pending = maps.Clone(n.entries), maps.Clone(n.durable), nil
		for _, change := range n.pending {
			d := *change
			copies[change] = &d
			m.pending = append(m.pending, &d)
		}
		c.inodes[ino] = &m
	}
	for _, d := range copies {
		if d.needs != nil {
			if d.needs.done {
				d.needs = nil
			} else {
				d.needs = copies[d.needs]
			}
		}
	}
	return c
}

// SyncAll makes everything durable.
func (f *FS) SyncAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.inodes {
		n.sync()
	}
}

func (n *inode) sync() {
	if !n.mode.IsDir() {
		n.synced, n.dirty = attributes{n.data, n.uid, n.gid}, false
		return
	}
	for _, c := range n.pending {
		c.done = true
	}
	n.durable, n.pending = maps.Clone(n.entries), nil
}

// A choice is one thing about which a crash can go either way.
type choice struct {
	change *entryChange
	file   *inode
}

// choices returns them in an order that depends on the file system's content alone.
func (f *FS) choices() []choice {
	var list []choice
	for _, ino := range slices.Sorted(maps.Keys(f.inodes)) {
		n := f.inodes[ino]
		for _, c := range n.pending {
			if !c.done {
				list = append(list, choice{change: c})
			}
		}
		if n.dirty {
			list = append(list, choice{file: n})
		}
	}
	return list
}

// The ways in which a file that was not synced comes out of a crash.
const (
	oldContent = iota
	newContent
	cutContent
	zeroContent
	contents
)

// Choices returns, for each thing that a crash may leave this way or that, how many ways there are. 0 is always the one
// in which nothing that was not synced persists, and 1 the one in which all of it does.
func (f *FS) Choices() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.choices()
	ways := make([]int, len(list))
	for i, c := range list {
		ways[i] = 2
		if c.file != nil {
			ways[i] = contents
		}
	}
	return ways
}

// Crash returns what a power cut at this moment leaves, as picked among [FS.Choices]. All of it is durable.
func (f *FS) Crash(pick []int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	after := f.Clone()
	chosen := map[*entryChange]bool{}
	for i, c := range after.choices() {
		if c.file != nil {
			c.file.settle(pick[i])
		} else {
			chosen[c.change] = pick[i] == 1
		}
	}
	for _, n := range after.inodes {
		if n.mode.IsDir() {
			n.entries = maps.Clone(n.durable)
			for _, c := range n.pending {
				if c.done || (chosen[c] && (c.needs == nil || c.needs.done || chosen[c.needs])) {
					c.apply(n.entries)
				}
			}
		}
	}
	after.collect()
	for _, n := range after.inodes {
		n.sync()
	}
	return after
}

// settle makes the file what a crash leaves of it.
func (n *inode) settle(way int) {
	switch old := n.synced.data; way {
	case oldContent:
		n.data, n.uid, n.gid = old, n.synced.uid, n.synced.gid
	case newContent:
	case cutContent:
		if kept := len(old) + (len(n.data)-len(old))/2; kept < len(n.data) {
			n.data = n.data[:kept]
		}
	case zeroContent:
		data := make([]byte, len(n.data))
		copy(data, old[:min(len(old), len(data))])
		n.data = data
	}
}

// collect forgets the inodes that no name leads to.
func (f *FS) collect() {
	reached := map[uint64]*inode{}
	var visit func(ino uint64)
	visit = func(ino uint64) {
		n := f.inodes[ino]
		if reached[ino] != nil {
			return
		}
		reached[ino] = n
		for _, child := range n.entries {
			visit(child)
		}
	}
	visit(rootInode)
	f.inodes = reached
}

// Tree returns everything below a directory that programs see: each path with its mode, owner and content, or a link's
// target. Two equal trees are equal byte by byte.
func (f *FS) Tree(dir string) map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	tree := map[string]string{}
	n, err := f.walk(dir)
	if err != nil {
		return tree
	}
	f.visit(dir, n, func(name string, n *inode) {
		tree[name] = fmt.Sprintf("%v %d:%d %s%s", n.mode, n.uid, n.gid, n.target, n.data)
	})
	return tree
}

func (f *FS) visit(dir string, n *inode, see func(name string, n *inode)) {
	for name, ino := range n.entries {
		child := f.inodes[ino]
		see(path.Join(dir, name), child)
		if child.mode.IsDir() {
			f.visit(path.Join(dir, name), child, see)
		}
	}
}

// Fingerprint returns a hash of both images and of what is between them. Names of one file count as such.
func (f *FS) Fingerprint() [32]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := sha256.New()
	ids := map[uint64]int{}
	var visit func(n *inode)
	id := func(ino uint64) int {
		if ino == 0 {
			return 0
		}
		if _, seen := ids[ino]; !seen {
			ids[ino] = len(ids) + 1
			visit(f.inodes[ino])
		}
		return ids[ino]
	}
	visit = func(n *inode) {
		fmt.Fprintf(h, "%v %d:%d %s %d %t", n.mode, n.uid, n.gid, n.target, len(n.data), n.dirty)
		h.Write(n.data)
		if n.dirty {
			fmt.Fprintf(h, "was %d:%d %d", n.synced.uid, n.synced.gid, len(n.synced.data))
			h.Write(n.synced.data)
		}
		changes := make([]map[string]uint64, 0, len(n.pending)+2)
		changes = append(changes, n.durable)
		for _, c := range n.pending {
			changes = append(changes, c.set)
		}
		for _, set := range append(changes, n.entries) {
			for _, name := range slices.Sorted(maps.Keys(set)) {
				fmt.Fprintf(h, " %s=%d", name, id(set[name]))
			}
		}
	}
	id(rootInode)
	return [32]byte(h.Sum(nil))
}
