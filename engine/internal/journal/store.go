package journal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Store is where the journals of one host are: those of applies that have not ended, and the history. At most one
// program at a time may write to it.
type Store struct {
	FS  host.FS
	Dir string // the state directory
	// Places are where applies change files: looked at for what an apply left whose first record can't be read.
	Places []string
	// Sync makes everything durable: without it, a crash of the program does no harm, but a power cut may.
	Sync bool
	// ManyFiles is from how many new files on one sync of the whole file system is cheaper than one of each.
	ManyFiles int
	// Program says to people which program writes the journals.
	Program string
	// Kind returns what does the steps of a kind whose effect can't be read back from the disk.
	Kind   func(name string) (Kind, bool)
	Clock  func() time.Time
	Logger *slog.Logger
}

// A Kind does the steps of one kind and takes them back.
type Kind interface {
	Do(ctx context.Context, step plan.Step) (receipt json.RawMessage, err error)
	// Undo may be called again. The receipt is nil if Do may or may not have run.
	Undo(ctx context.Context, step plan.Step, receipt json.RawMessage) error
	// UndoAfterFiles reports whether Undo wants every file and link of the plan to be as it was.
	UndoAfterFiles() bool
}

func (s *Store) journals() string { return filepath.Join(s.Dir, "journal") }
func (s *Store) history() string  { return filepath.Join(s.Dir, "history") }
func (s *Store) kept() string     { return filepath.Join(s.Dir, "kept") } // foreign edits that undo found and put aside

// Dirs are the directories that must be there before an apply starts. Nobody else needs to see what was replaced.
func (s *Store) Dirs() []string { return []string{s.journals(), s.history(), s.kept()} }

// Interrupted returns the journals of applies that have not ended, by name. It changes nothing.
func (s *Store) Interrupted() ([]string, error) {
	entries, err := s.FS.ReadDir(s.journals())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &ReadError{err}
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(s.journals(), e.Name()))
		}
	}
	return names, nil
}

// read reads a journal, which is believed: somebody else's is not, nor one that others can write to.
func (s *Store) read(path string) ([]byte, error) {
	if err := host.CheckOwnedFile(s.FS, path); err != nil {
		return nil, err
	}
	return s.FS.ReadFile(path)
}

// writers is how many files are written side by side. The kernel makes one file of a directory after the other, but fsync
// is waiting, and the disk takes several at a time.
func (s *Store) writers(sync bool) int {
	if _, real := s.FS.(host.OS); !real {
		return 1 // a simulated file system wants the same order every time
	}
	if !sync {
		return host.Readers
	}
	return 16
}
