package journal

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"syscall"
)

// makeDirs makes the directories that are missing, and their names durable. One that somebody else has made since the plan
// was is a *ChangedError: else undo would take it for its own.
func (tx *Transaction) makeDirs() error {
	fsys := tx.store.FS
	for i, dir := range tx.begin.Dirs {
		err := fsys.Mkdir(dir, 0o755)
		if errors.Is(err, fs.ErrExist) {
			return &ChangedError{dir}
		}
		tx.made = i + 1
		if err == nil && tx.store.Sync {
			err = fsys.SyncDir(filepath.Dir(dir))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeDirs removes the directories that the transaction has made, but for those in which somebody has put something since.
func (tx *Transaction) removeDirs() error {
	fsys := tx.store.FS
	for _, dir := range slices.Backward(tx.begin.Dirs[:tx.made]) {
		info, err := fsys.Lstat(dir)
		if err == nil && info.IsDir() {
			err = fsys.Remove(dir)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return nil
}

// syncDirs makes durable what all the directories of the transaction hold, those that it made included, while they are there.
func (tx *Transaction) syncDirs() error {
	if !tx.store.Sync {
		return nil
	}
	dirs := map[string]bool{}
	for _, l := range tx.begin.Steps {
		if l.Before != nil {
			dirs[filepath.Dir(l.Step.Path)] = true
		}
	}
	for _, dir := range tx.begin.Dirs {
		dirs[filepath.Dir(dir)] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		err := tx.store.FS.SyncDir(dir)
		if errors.Is(err, fs.ErrNotExist) && slices.Contains(tx.begin.Dirs, dir) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
