package host

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// An FS is every way in which the engine touches files. The host's own is [OS]; tests put faults and crashes in between.
// Names are absolute. No method follows a symbolic link in the last element of a name, but for ReadFile.
type FS interface {
	Lstat(name string) (fs.FileInfo, error)
	ReadFile(name string) ([]byte, error) // follows links; regular files only
	ReadDir(name string) ([]fs.DirEntry, error)
	Readlink(name string) (string, error)
	// Create makes a new file, with its final permission bits from the start, and fails if the name exists.
	Create(name string, perm fs.FileMode) (File, error)
	// OpenAppend opens an existing file for appending.
	OpenAppend(name string) (File, error)
	Mkdir(name string, perm fs.FileMode) error
	Link(oldname, newname string) error
	Symlink(target, name string) error
	Rename(oldname, newname string) error
	Remove(name string) error
	// SyncDir makes the directory's entries durable.
	SyncDir(name string) error
	// SyncLater returns a function that makes durable all that was written to the file system of a directory since:
	// for many files cheaper than [File.Sync] of each, but it waits for what others have written there, too. Where that
	// can't be had, or would not tell of all failures, the error is [errors.ErrUnsupported].
	SyncLater(dir string) (sync func() error, err error)
}

// A File is an open file of an [FS].
type File interface {
	io.Writer
	io.Closer
	Chown(uid, gid int) error
	Truncate(size int64) error
	// Sync makes the file's content durable. An error is final: the content may be lost, whatever a second call says.
	Sync() error
}

// MaxFileSize is the largest file, in bytes, that is taken for a configuration.
const MaxFileSize = 4 << 20

// OS is the host's file system.
type OS struct{}

func (OS) Lstat(name string) (fs.FileInfo, error)     { return os.Lstat(name) }
func (OS) Readlink(name string) (string, error)       { return os.Readlink(name) }
func (OS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (OS) Link(oldname, newname string) error         { return os.Link(oldname, newname) }
func (OS) Symlink(target, name string) error          { return os.Symlink(target, name) }
func (OS) Rename(oldname, newname string) error       { return os.Rename(oldname, newname) }
func (OS) Remove(name string) error                   { return os.Remove(name) }

// ReadFile never blocks on a FIFO or device that somebody left where a file should be.
func (OS) ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && err != io.EOF {
		return nil, err
	}
	return b[:n], nil
}

// Mkdir makes a directory with exactly these permission bits, whatever the umask: nginx's workers must reach the webroot.
func (OS) Mkdir(name string, perm fs.FileMode) error {
	if err := os.Mkdir(name, perm); err != nil {
		return err
	}
	return os.Chmod(name, perm)
}

func (OS) Create(name string, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND|syscall.O_NOFOLLOW, perm)
	if err != nil {
		return nil, err
	}
	// The umask may have taken bits away; nobody else can have the new file open yet.
	if err := f.Chmod(perm); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(name))
	}
	return f, nil
}

func (OS) OpenAppend(name string) (File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
}

func (OS) SyncDir(name string) error {
	d, err := os.Open(name) // read-only: fsync of a directory opened for writing does not exist on Linux
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // a file system without it
	}
	return errors.Join(err, d.Close())
}
