package crashfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// begin asks Before, and locks the file system if the call is to be done.
func (f *FS) begin(name, where string, changes bool) error {
	if f.Before != nil {
		if err := f.Before(Op{Name: name, Path: where, Changes: changes}); err != nil {
			return &fs.PathError{Op: strings.ToLower(name), Path: where, Err: err}
		}
	}
	f.mu.Lock()
	return nil
}

func fail(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// walk finds what a name leads to. It follows no link.
func (f *FS) walk(name string) (*inode, error) {
	n := f.inodes[rootInode]
	for part := range strings.SplitSeq(strings.Trim(path.Clean(name), "/"), "/") {
		if part == "" {
			continue
		}
		if !n.mode.IsDir() {
			return nil, syscall.ENOTDIR
		}
		ino, ok := n.entries[part]
		if !ok {
			return nil, syscall.ENOENT
		}
		n = f.inodes[ino]
	}
	return n, nil
}

// parent finds the directory of a name, and the number of what the name leads to, 0 for nothing.
func (f *FS) parent(name string) (dir *inode, base string, ino uint64, err error) {
	dir, err = f.walk(path.Dir(name))
	if err == nil && !dir.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, "", 0, err
	}
	base = path.Base(name)
	return dir, base, dir.entries[base], nil
}

// change does something to a directory's entries, for now in the volatile image only.
func (f *FS) change(dir *inode, set map[string]uint64, needs *entryChange) *entryChange {
	f.ticks++
	c := &entryChange{set: set, needs: needs}
	c.apply(dir.entries)
	dir.pending = append(dir.pending, c)
	dir.changed = f.ticks
	return c
}

// add makes a new inode and an entry for it.
func (f *FS) add(op, name string, n *inode) error {
	dir, base, ino, err := f.parent(name)
	switch {
	case err != nil:
		return fail(op, name, err)
	case ino != 0:
		return fail(op, name, syscall.EEXIST)
	}
	f.last++
	n.number, f.inodes[f.last] = f.last, n
	f.change(dir, map[string]uint64{base: f.last}, nil)
	n.changed = f.ticks
	return nil
}

// Lstat is os.Lstat. Sys returns a *syscall.Stat_t.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	if err := f.begin("Lstat", name, false); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	n, err := f.walk(name)
	if err != nil {
		return nil, fail("lstat", name, err)
	}
	return newInfo(path.Base(name), n), nil
}

// ReadFile is os.ReadFile: it follows a link at the end of the name.
func (f *FS) ReadFile(name string) ([]byte, error) {
	if err := f.begin("ReadFile", name, false); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	at := name
	for range 40 {
		n, err := f.walk(at)
		if err != nil {
			return nil, fail("open", name, err)
		}
		switch {
		case n.mode.IsRegular():
			return slices.Clone(n.data), nil
		case n.mode&fs.ModeSymlink == 0:
			return nil, fail("read", name, syscall.EISDIR)
		case path.IsAbs(n.target):
			at = n.target
		default:
			at = path.Join(path.Dir(at), n.target)
		}
	}
	return nil, fail("open", name, syscall.ELOOP)
}

// ReadDir is os.ReadDir.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.begin("ReadDir", name, false); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	n, err := f.walk(name)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, fail("open", name, err)
	}
	var list []fs.DirEntry
	for base, ino := range n.entries {
		list = append(list, fs.FileInfoToDirEntry(newInfo(base, f.inodes[ino])))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Readlink is os.Readlink.
func (f *FS) Readlink(name string) (string, error) {
	if err := f.begin("Readlink", name, false); err != nil {
		return "", err
	}
	defer f.mu.Unlock()
	n, err := f.walk(name)
	if err == nil && n.mode&fs.ModeSymlink == 0 {
		err = syscall.EINVAL
	}
	if err != nil {
		return "", fail("readlink", name, err)
	}
	return n.target, nil
}

// Create makes a new file. Its mode is part of the inode, so a crash never leaves it with another.
func (f *FS) Create(name string, perm fs.FileMode) (host.File, error) {
	if err := f.begin("Create", name, true); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	n := &inode{mode: perm.Perm(), uid: os.Geteuid(), gid: os.Getegid()}
	n.synced = attributes{uid: n.uid, gid: n.gid}
	if err := f.add("open", name, n); err != nil {
		return nil, err
	}
	return &File{fs: f, name: name, inode: n}, nil
}

// OpenAppend opens a file for appending.
func (f *FS) OpenAppend(name string) (host.File, error) {
	if err := f.begin("OpenAppend", name, false); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	n, err := f.walk(name)
	if err == nil && !n.mode.IsRegular() {
		err = syscall.ELOOP
	}
	if err != nil {
		return nil, fail("open", name, err)
	}
	return &File{fs: f, name: name, inode: n}, nil
}

// Mkdir is os.Mkdir.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	if err := f.begin("Mkdir", name, true); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.add("mkdir", name, newDir(perm))
}

// Symlink is os.Symlink.
func (f *FS) Symlink(target, name string) error {
	if err := f.begin("Symlink", name, true); err != nil {
		return err
	}
	defer f.mu.Unlock()
	return f.add("symlink", name, &inode{mode: fs.ModeSymlink | 0o777, uid: os.Geteuid(), gid: os.Getegid(), target: target})
}

// Link is os.Link: of a symbolic link it makes another name, and does not follow it.
func (f *FS) Link(oldname, newname string) error {
	if err := f.begin("Link", newname, true); err != nil {
		return err
	}
	defer f.mu.Unlock()
	n, err := f.walk(oldname)
	if err != nil {
		return fail("link", oldname, err)
	}
	if n.mode.IsDir() || f.NoLinks {
		return fail("link", oldname, syscall.EPERM)
	}
	dir, base, taken, err := f.parent(newname)
	switch {
	case err != nil:
		return fail("link", newname, err)
	case taken != 0:
		return fail("link", newname, syscall.EEXIST)
	}
	f.change(dir, map[string]uint64{base: n.number}, nil)
	n.changed = f.ticks
	return nil
}

// Rename is os.Rename. As rename(2) says, it does nothing, and leaves both names, if they are the same file's.
func (f *FS) Rename(oldname, newname string) error {
	if err := f.begin("Rename", newname, true); err != nil {
		return err
	}
	defer f.mu.Unlock()
	from, oldbase, ino, err := f.parent(oldname)
	if err == nil && ino == 0 {
		err = syscall.ENOENT
	}
	if err != nil {
		return fail("rename", oldname, err)
	}
	to, newbase, replaced, err := f.parent(newname)
	if err == nil && replaced != 0 && f.inodes[replaced].mode.IsDir() != f.inodes[ino].mode.IsDir() {
		err = syscall.EISDIR
	}
	if err != nil {
		return fail("rename", newname, err)
	}
	switch {
	case ino == replaced:
	case from == to:
		f.change(from, map[string]uint64{newbase: ino, oldbase: 0}, nil)
	default:
		f.change(from, map[string]uint64{oldbase: 0}, f.change(to, map[string]uint64{newbase: ino}, nil))
	}
	return nil
}

// Remove is os.Remove.
func (f *FS) Remove(name string) error {
	if err := f.begin("Remove", name, true); err != nil {
		return err
	}
	defer f.mu.Unlock()
	dir, base, ino, err := f.parent(name)
	switch {
	case err != nil:
	case ino == 0:
		err = syscall.ENOENT
	case len(f.inodes[ino].entries) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return fail("remove", name, err)
	}
	f.change(dir, map[string]uint64{base: 0}, nil)
	return nil
}

// SyncDir makes a directory's entries durable.
func (f *FS) SyncDir(name string) error {
	if err := f.begin("SyncDir", name, true); err != nil {
		if errors.Is(err, ErrLie) {
			return nil
		}
		return err
	}
	defer f.mu.Unlock()
	n, err := f.walk(name)
	if err == nil && !n.mode.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return fail("sync", name, err)
	}
	f.syncDir(n)
	return nil
}

// SyncLater returns a function that makes everything durable.
func (f *FS) SyncLater(dir string) (func() error, error) {
	return func() error {
		if err := f.begin("SyncAll", dir, true); err != nil {
			if errors.Is(err, ErrLie) {
				return nil
			}
			return err
		}
		f.mu.Unlock()
		f.SyncAll()
		return nil
	}, nil
}

// syncDir makes the entries durable, and of a rename between directories the other half too: both are one transaction
// of the file system.
func (f *FS) syncDir(n *inode) {
	for _, c := range n.pending {
		if c.needs == nil || c.needs.done {
			continue
		}
		for _, other := range f.inodes {
			if slices.Contains(other.pending, c.needs) {
				c.needs.apply(other.durable)
				c.needs.done = true
			}
		}
	}
	n.sync()
}

// A File is an open file.
type File struct {
	fs    *FS
	name  string
	inode *inode
}

// Write appends.
func (o *File) Write(b []byte) (int, error) {
	short := false
	if err := o.fs.begin("Write", o.name, true); err != nil {
		if !errors.Is(err, ErrShortWrite) {
			return 0, err
		}
		short = true
		o.fs.mu.Lock()
	}
	defer o.fs.mu.Unlock()
	if short {
		b = b[:len(b)/2]
	}
	o.set(append(slices.Clone(o.inode.data), b...))
	if short {
		return len(b), fail("write", o.name, syscall.ENOSPC)
	}
	return len(b), nil
}

func (o *File) set(data []byte) {
	o.fs.ticks++
	o.inode.data, o.inode.dirty, o.inode.changed = data, true, o.fs.ticks
}

// Truncate cuts the file.
func (o *File) Truncate(size int64) error {
	if err := o.fs.begin("Truncate", o.name, true); err != nil {
		return err
	}
	defer o.fs.mu.Unlock()
	data := make([]byte, size)
	copy(data, o.inode.data)
	o.set(data)
	return nil
}

// Chown changes the owner.
func (o *File) Chown(uid, gid int) error {
	if err := o.fs.begin("Chown", o.name, true); err != nil {
		return err
	}
	defer o.fs.mu.Unlock()
	o.fs.ticks++
	o.inode.uid, o.inode.gid, o.inode.dirty, o.inode.changed = uid, gid, true, o.fs.ticks
	return nil
}

// Sync makes the content durable, and not the name.
func (o *File) Sync() error {
	if err := o.fs.begin("Sync", o.name, true); err != nil {
		if errors.Is(err, ErrLie) {
			return nil
		}
		return err
	}
	defer o.fs.mu.Unlock()
	o.inode.sync()
	return nil
}

// Close makes nothing durable.
func (o *File) Close() error {
	if err := o.fs.begin("Close", o.name, false); err != nil {
		return err
	}
	o.fs.mu.Unlock()
	return nil
}

type info struct {
	name string
	mode fs.FileMode
	stat syscall.Stat_t
}

func newInfo(name string, n *inode) fs.FileInfo {
	i := info{name: name, mode: n.mode}
	i.stat = syscall.Stat_t{
		Dev: 1, Ino: n.number, Uid: uint32(n.uid), Gid: uint32(n.gid), Size: int64(len(n.data)), Mode: unixMode(n.mode),
		Mtim: syscall.NsecToTimespec(n.changed), Ctim: syscall.NsecToTimespec(n.changed),
	}
	return i
}

func unixMode(m fs.FileMode) uint32 {
	kind := uint32(syscall.S_IFREG)
	switch {
	case m.IsDir():
		kind = syscall.S_IFDIR
	case m&fs.ModeSymlink != 0:
		kind = syscall.S_IFLNK
	}
	return kind | uint32(m.Perm())
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.stat.Size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Unix(0, i.stat.Mtim.Nano()) }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return &i.stat }
