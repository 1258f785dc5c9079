package journal

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// A file is a journal on the disk.
type file struct {
	fs   host.FS
	path string
	open host.File // nil once it is closed
	size int64     // of what is known to be good
	sync bool
	// uncertain: a record could be neither written nor taken back.
	uncertain bool
}

// create makes the journal with its first record durable.
func create(fsys host.FS, dir string, first Record, durable bool) (*file, error) {
	j := &file{fs: fsys, path: filepath.Join(dir, first.Begin.ID), sync: durable}
	f, err := fsys.Create(j.path, 0o600)
	if err != nil {
		return nil, err
	}
	j.open = f
	err = j.append(first)
	if err == nil && durable {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, j.close(), j.remove())
	}
	return j, nil
}

// append writes one record and makes it durable, or takes it back, so that no later reader finds a part of it.
func (j *file) append(r Record) error {
	if j.uncertain {
		return &WriteError{ErrUncertain}
	}
	b, err := encodeRecord(r)
	if err != nil {
		return err
	}
	if err := j.write(b); err != nil {
		return &WriteError{errors.Join(err, j.retract())}
	}
	j.size += int64(len(b))
	return nil
}

func (j *file) write(b []byte) error {
	if _, err := j.open.Write(b); err != nil {
		return err
	}
	if j.sync {
		return j.open.Sync()
	}
	return nil
}

// retract takes back what a failed write may have left.
func (j *file) retract() error {
	err := j.open.Truncate(j.size)
	if err == nil && j.sync {
		err = j.open.Sync()
	}
	if err != nil {
		j.uncertain = true
		err = errors.Join(ErrUncertain, err)
	}
	return err
}

// remove removes the journal for good.
func (j *file) remove() error {
	if err := j.fs.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !j.sync {
		return nil
	}
	return j.fs.SyncDir(filepath.Dir(j.path))
}

// close may be called again.
func (j *file) close() error {
	if j.open == nil {
		return nil
	}
	f := j.open
	j.open = nil
	return f.Close()
}
