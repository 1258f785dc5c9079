package host

import (
	"bytes"
	"encoding/binary"
	"os"
	"syscall"
)

// A Watch hears from the kernel what changes in some directories (inotify(7)). An event is queued before the system call
// that caused it returns, so that what a watch has not heard of has not happened; asking it costs one system call, where
// looking at a thousand files costs two thousand.
type Watch struct {
	queue *os.File
	dirs  []watchedDir
	buf   [64 << 10]byte
}

type watchedDir struct {
	path string
	info os.FileInfo
}

// ofInterest is all that can change what a directory holds, or a file in it says. A directory that is itself moved or
// removed is noticed by its path, which then leads elsewhere.
const ofInterest = syscall.IN_MODIFY | syscall.IN_ATTRIB | syscall.IN_CREATE | syscall.IN_DELETE |
	syscall.IN_MOVED_FROM | syscall.IN_MOVED_TO | syscall.IN_ONLYDIR

// NewWatch returns a watch of directories, or nil where the kernel has none to give (fs.inotify.max_user_instances), a
// directory is not there, or others may change it from elsewhere, which this kernel does not hear of.
func NewWatch(paths ...string) *Watch {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &Watch{queue: os.NewFile(uintptr(fd), "inotify")}
	for _, path := range paths {
		if err := w.add(fd, path); err != nil {
			_ = w.queue.Close()
			return nil
		}
	}
	return w
}

// Close gives the watch back to the kernel, which has few. It may be called of nil.
func (w *Watch) Close() {
	if w != nil {
		_ = w.queue.Close()
	}
}

func (w *Watch) add(fd int, path string) error {
	if err := CheckLocal(path); err != nil {
		return err
	}
	info, err := os.Stat(path) // before it is watched: one that takes its place meanwhile is then noticed
	if err != nil {
		return err
	}
	w.dirs = append(w.dirs, watchedDir{path, info})
	_, err = syscall.InotifyAddWatch(fd, path, ofInterest)
	return err
}

// Changed returns the names of the files that have changed since it was last called, which may be some that have not.
// It is not ok if more may have changed than it knows: then everything must be looked at, and watched anew.
func (w *Watch) Changed() (names map[string]bool, ok bool) {
	for _, d := range w.dirs {
		if info, err := os.Stat(d.path); err != nil || !os.SameFile(info, d.info) {
			return nil, false
		}
	}
	names = map[string]bool{}
	for {
		n, err := w.read()
		switch {
		case err == syscall.EAGAIN:
			return names, true
		case err == syscall.EINTR:
		case err != nil || !addNames(names, w.buf[:n]):
			return nil, false
		}
	}
}

// read is a read that does not wait, unlike that of an [os.File].
func (w *Watch) read() (n int, err error) {
	conn, err := w.queue.SyscallConn()
	if err != nil {
		return 0, err
	}
	if outer := conn.Read(func(fd uintptr) bool { n, err = syscall.Read(int(fd), w.buf[:]); return true }); outer != nil {
		return 0, outer
	}
	return n, err
}

// addNames adds the names of the events in b, each a struct inotify_event. It reports false if events were lost, or tell
// of a directory itself.
func addNames(names map[string]bool, b []byte) bool {
	for len(b) >= syscall.SizeofInotifyEvent {
		mask, size := binary.NativeEndian.Uint32(b[4:]), int(binary.NativeEndian.Uint32(b[12:]))
		b = b[syscall.SizeofInotifyEvent:]
		if mask&(syscall.IN_Q_OVERFLOW|syscall.IN_IGNORED|syscall.IN_UNMOUNT) != 0 || size > len(b) {
			return false
		}
		if name := string(bytes.TrimRight(b[:size], "\x00")); name != "" {
			names[name] = true
		}
		b = b[size:]
	}
	return true
}
