package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// A TrustError says that somebody beside root and the current user could change what is trusted.
type TrustError struct {
	Path string // what is trusted
	At   string // where they could: the path itself, or a directory or link on the way to it
	Mode fs.FileMode
	// Owner is whose it is, if it is neither root's nor the current user's; -1 if others can write there.
	Owner int
}

func (e *TrustError) Error() string {
	way := ""
	if e.At != e.Path {
		way = ", on the way to " + e.Path + ","
	}
	if e.Owner >= 0 {
		return fmt.Sprintf("%s%s belongs to user %d, who could change it under our hands; it must be root's or the current user's", e.At, way, e.Owner)
	}
	return fmt.Sprintf("%s%s can be written by others (mode %04o), who could change what is trusted; run chmod go-w on it", e.At, way, e.Mode.Perm())
}

// maxLinks is how many symbolic links the kernel follows on one way (path_resolution(7)).
const maxLinks = 40

// CheckOwned refuses a directory in which, or on the way to which, somebody beside root and the current user could swap files: with
// a *[TrustError]. Links are followed, and each step is looked at. A directory in which everybody may write, but nobody remove or
// rename what is another's (the sticky bit, as /tmp has it), may be on the way, and is not to be trusted itself.
func CheckOwned(fsys FS, dir string) error {
	at, rest, links := "/", strings.Split(dir, "/"), 0
	if err := checkStep(fsys, dir, at, false); err != nil {
		return err
	}
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		switch name {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := Join(at, name)
		info, err := fsys.Lstat(next)
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			if err := checkStep(fsys, dir, next, strings.Join(rest, "") == ""); err != nil {
				return err
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return &fs.PathError{Op: "follow", Path: dir, Err: syscall.ELOOP}
		}
		if uid, foreign := foreignOwner(info); foreign {
			return &TrustError{Path: dir, At: next, Mode: info.Mode(), Owner: uid}
		}
		target, err := fsys.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// checkStep looks at one directory on the way to another, or at that itself.
func checkStep(fsys FS, dir, at string, last bool) error {
	info, err := fsys.Lstat(at)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "enter", Path: at, Err: syscall.ENOTDIR}
	}
	if uid, foreign := foreignOwner(info); foreign {
		return &TrustError{Path: dir, At: at, Mode: info.Mode(), Owner: uid}
	}
	if isWritable(info) && (last || info.Mode()&fs.ModeSticky == 0) {
		return &TrustError{Path: dir, At: at, Mode: info.Mode(), Owner: -1}
	}
	return nil
}

// CheckOwnedFile refuses, with a *[TrustError], a file that somebody beside root and the current user could have written. The
// directory that it is in is for [CheckOwned].
func CheckOwnedFile(fsys FS, path string) error {
	info, err := fsys.Lstat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if uid, foreign := foreignOwner(info); foreign {
		return &TrustError{Path: path, At: path, Mode: info.Mode(), Owner: uid}
	}
	if isWritable(info) {
		return &TrustError{Path: path, At: path, Mode: info.Mode(), Owner: -1}
	}
	return nil
}

// foreignOwner returns whose something is, and whether that is neither root nor the current user.
func foreignOwner(info fs.FileInfo) (uid int, foreign bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), st.Uid != 0 && int(st.Uid) != os.Geteuid()
}

func isWritable(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }
