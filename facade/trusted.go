package facade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks is how many links a path may lead over, as the kernel has it.
const maxLinks = 40

// checkTrusted refuses a file that somebody else than root and the own user could change, or put another in the place of:
// it, and each directory on the way from the root, must be theirs and not be open to others for writing. A directory with
// the sticky bit, such as /tmp, is: nobody can take what is another's out of it (unlink(2)).
func checkTrusted(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	at, rest := "/", strings.Split(strings.Trim(path, "/"), "/")
	if err := checkMode(at); err != nil {
		return err
	}
	for links := 0; len(rest) > 0; {
		next := filepath.Join(at, rest[0])
		info, err := os.Lstat(next)
		if err != nil {
			return err
		}
		rest = rest[1:]
		if info.Mode().Type() != fs.ModeSymlink {
			if err := checkMode(next); err != nil {
				return err
			}
			at = next
			continue
		}
		target, err := os.Readlink(next)
		if links++; err != nil || links > maxLinks {
			return errors.Join(err, fmt.Errorf("%s leads over too many links", path))
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest...)
	}
	return nil
}

// checkMode looks at one file or directory, which is no link.
func checkMode(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who could change it: it must be root's or the current user's", path, st.Uid)
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if info.Mode().Perm()&0o022 != 0 && !sticky {
		return fmt.Errorf("others can write to %s (mode %04o): run chmod go-w on it", path, info.Mode().Perm())
	}
	return nil
}
