package engine

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Writer returns who is changing the host at this moment, in this process or another. It takes no lock, not even for an
// instant, so it is never in the way of a writer that tries only once.
func (e *Engine) Writer() (Holder, bool) {
	f, err := os.OpenFile(filepath.Join(e.opts.State.Dir, lockName), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return Holder{}, false
	}
	defer f.Close()
	// What a writer announced outlives it if it was killed: the kernel knows whether it lives.
	h, announced := readHolder(f)
	return h, announced && isFlocked(f, h.PID)
}

// isFlocked reports whether a process holds an exclusive flock(2) on a file. To try for a shared one would tell as well, and
// make another's only try fail meanwhile.
func isFlocked(f *os.File, pid int) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	locks, err := os.ReadFile("/proc/locks")
	if err != nil || !ok {
		return syscall.Kill(pid, 0) != syscall.ESRCH // without the kernel's list, a process of that number has to do
	}
	return slices.ContainsFunc(bytes.Split(locks, []byte("\n")), func(line []byte) bool { return isFlockOf(string(line), pid, st.Ino) })
}

// isFlockOf reads a line of proc_locks(5):
//
//	1: FLOCK  ADVISORY  WRITE 6928 fe:00:9978382 0 EOF
//
// The device is passed over: of some file systems (btrfs, overlayfs) it is not the one that stat(2) tells. Who waits for a
// lock has an arrow in front of the word.
func isFlockOf(line string, pid int, inode uint64) bool {
	f := strings.Fields(line)
	if len(f) < 6 || f[1] != "FLOCK" || f[3] != "WRITE" || f[4] != strconv.Itoa(pid) {
		return false
	}
	return strings.HasSuffix(f[5], ":"+strconv.FormatUint(inode, 10))
}

// Interrupted reports whether an apply was interrupted and waits for recovery. One that is still running is none: see
// [Engine.Writer]. It changes nothing.
func (e *Engine) Interrupted() (bool, error) {
	left, _, err := e.unfinished()
	return len(left) > 0, err
}

// unfinished returns the journals of applies that were interrupted, or who is in the middle of one.
func (e *Engine) unfinished() (left []string, by *Holder, err error) {
	before, err := e.interrupted()
	if err != nil || len(before) == 0 {
		return nil, nil, err
	}
	if h, writes := e.Writer(); writes {
		return nil, &h, nil
	}
	// What was there before and after a moment without a writer was left behind. What was not has been put away meanwhile.
	after, err := e.interrupted()
	return slices.DeleteFunc(after, func(name string) bool { return !slices.Contains(before, name) }), nil, err
}

// unfinishedWarnings are what a plan says of applies that have not ended: it may have read what is there in their midst.
func (e *Engine) unfinishedWarnings() []string {
	switch left, by, err := e.unfinished(); {
	case err != nil:
		return nil // a state directory that can't be read is an apply's to complain about
	case by != nil:
		return []string{fmt.Sprintf("an apply is running: %s; this plan may be of a host that is half changed, and is stale once it has ended", by)}
	case len(left) > 0:
		return []string{"an earlier apply was interrupted and is not undone yet; the next command that changes something, or 'proxy-manager recover', brings the host back to what it was before it"}
	}
	return nil
}
