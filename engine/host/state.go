package host

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// ReadState returns what is at a path, without following a link there.
func ReadState(fsys FS, name string) (*plan.State, error) {
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return &plan.State{}, nil
	}
	if err != nil {
		return nil, err
	}
	return readStateOf(fsys, name, info)
}

func readStateOf(fsys FS, name string, info fs.FileInfo) (*plan.State, error) {
	s := &plan.State{Exists: true, Mode: info.Mode(), UID: -1, GID: -1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.UID, s.GID = int(st.Uid), int(st.Gid)
	}
	var err error
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		s.Mode = fs.ModeSymlink
		s.Target, err = fsys.Readlink(name)
	case info.Mode().IsRegular() && info.Size() > MaxFileSize:
		err = &fs.PathError{Op: "read", Path: name, Err: syscall.EFBIG}
	case info.Mode().IsRegular():
		s.Content, err = fsys.ReadFile(name)
	default:
		err = &fs.PathError{Op: "read", Path: name, Err: ErrOther}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ErrOther is in the chain where a name is taken by a directory, a FIFO or a device.
var ErrOther = errors.New("neither a regular file nor a symbolic link")

// Same reports whether what is there is what was meant. An owner of -1 on either side matches any.
func Same(a, b *plan.State) bool {
	if a.Exists != b.Exists {
		return false
	}
	if !a.Exists {
		return true
	}
	if a.IsLink() || b.IsLink() {
		return a.IsLink() && b.IsLink() && a.Target == b.Target
	}
	return a.Mode.Perm() == b.Mode.Perm() && string(a.Content) == string(b.Content) &&
		(a.UID == b.UID || a.UID < 0 || b.UID < 0) && (a.GID == b.GID || a.GID < 0 || b.GID < 0)
}
