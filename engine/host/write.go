package host

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// Create makes a new file that holds want, with its final rights and owner from the start, so that nothing is wrong with
// it at any moment after its rename. An owner that want leaves open is that of the file it replaces, if there is one. The
// content is durable if sync is set; the name is not, see [FS.SyncDir].
func Create(fsys FS, name string, want, replaces *plan.State, sync bool) error {
	f, err := fsys.Create(name, want.Mode.Perm())
	if err != nil {
		return err
	}
	return errors.Join(fill(f, want, replaces, sync), f.Close())
}

func fill(f File, want, replaces *plan.State, sync bool) error {
	uid, gid := want.UID, want.GID
	if uid < 0 && replaces.Exists && !replaces.IsLink() {
		uid, gid = replaces.UID, replaces.GID
	}
	if uid >= 0 {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	if n, err := f.Write(want.Content); err != nil || n < len(want.Content) {
		return cmp.Or(err, io.ErrShortWrite)
	}
	if !sync {
		return nil
	}
	return f.Sync()
}

// Replace makes a file hold content, readable by its owner alone, whole or not at all. It is durable if sync is set.
func Replace(fsys FS, name string, content []byte, sync bool) error {
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".new")
	if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := Create(fsys, temp, plan.File(content, 0o600), &plan.State{}, sync); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	if !sync {
		return nil
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// MkdirAll makes a directory and its missing parents, each with perm, and reports whether it had to. A parent that it made
// is durable; the directory itself is not.
func MkdirAll(fsys FS, name string, perm fs.FileMode) (made bool, err error) {
	if info, err := fsys.Lstat(name); err == nil {
		if info.IsDir() || info.Mode()&fs.ModeSymlink != 0 {
			return false, nil
		}
		return false, &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
	}
	if parent := filepath.Dir(name); parent != name {
		made, err := MkdirAll(fsys, parent, perm)
		if err == nil && made {
			err = fsys.SyncDir(filepath.Dir(parent))
		}
		if err != nil {
			return false, err
		}
	}
	if err := fsys.Mkdir(name, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	return true, nil
}
