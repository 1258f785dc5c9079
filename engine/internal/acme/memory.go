package acme

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// A Memory is what is remembered about certificates beside the certificates, in one file. Losing it costs nothing but a
// try that comes too early, and the room of what would have been deleted. Reading needs no lock; only the holder of the host's lock may have it remember more.
type Memory struct {
	fs   host.FS
	path string
	sync bool
	log  *slog.Logger
}

// NewMemory returns the memory in a file, which need not be there yet. What it is told survives a power cut if sync is
// set.
func NewMemory(fsys host.FS, path string, sync bool, log *slog.Logger) *Memory {
	return &Memory{fs: fsys, path: path, sync: sync, log: log}
}

// An Operation is one attempt to get or delete a certificate.
type Operation struct {
	Operation   string    `json:"operation"` // the caller's word for it
	Certificate string    `json:"certificate"`
	At          time.Time `json:"at"`
	Reason      Reason    `json:"reason,omitempty"` // why it failed; empty if it did not
}

// memories are the file's content.
type memories struct {
	Attempts map[string]Attempt   `json:"attempts,omitempty"` // by lineage
	Unused   map[string]time.Time `json:"unused,omitempty"`   // by lineage
	Last     *Operation           `json:"last,omitempty"`
}

// Attempts are the certificates whose last attempt failed, by lineage.
func (m *Memory) Attempts() map[string]Attempt { return m.read().Attempts }

// Last is the last operation; nil if there was none.
func (m *Memory) Last() *Operation { return m.read().Last }

// Unused are the certificates that nothing uses any more, and since when, by lineage.
func (m *Memory) Unused() map[string]time.Time { return m.read().Unused }

// Uses remembers of some certificates that nothing uses them from now on, and forgets that of others, which are used again.
func (m *Memory) Uses(at time.Time, unused, used []string) error {
	if len(unused)+len(used) == 0 {
		return nil
	}
	all := m.read()
	for _, lineage := range unused {
		if _, known := all.Unused[lineage]; !known {
			all.Unused[lineage] = at.UTC()
		}
	}
	for _, lineage := range used {
		delete(all.Unused, lineage)
	}
	return m.write(all)
}

// Obtained remembers what came of an attempt to get a certificate: nil is success.
func (m *Memory) Obtained(operation, lineage string, at time.Time, failure *Failure) error {
	return m.remember(operation, lineage, at, failure, func(all memories) {
		if failure == nil {
			delete(all.Attempts, lineage)
			return
		}
		all.Attempts[lineage] = all.Attempts[lineage].failed(at.UTC(), lineage, failure)
	})
}

// Deleted remembers what came of deleting a certificate: nil is success. Either way nobody wants it any more, so its
// attempts are forgotten.
func (m *Memory) Deleted(operation, lineage string, at time.Time, failure *Failure) error {
	return m.remember(operation, lineage, at, failure, func(all memories) {
		delete(all.Attempts, lineage)
		if failure == nil {
			delete(all.Unused, lineage)
		}
	})
}

func (m *Memory) remember(operation, lineage string, at time.Time, failure *Failure, change func(memories)) error {
	all := m.read()
	all.Last = &Operation{Operation: operation, Certificate: lineage, At: at.UTC()}
	if failure != nil {
		all.Last.Reason = failure.Reason
	}
	change(all)
	return m.write(all)
}

func (m *Memory) write(all memories) error {
	b, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(m.path), err)
	}
	return host.Replace(m.fs, m.path, append(b, '\n'), m.sync)
}

// read reads what is remembered. A file that can't be read is as good as none.
func (m *Memory) read() memories {
	var all memories
	b, err := m.fs.ReadFile(m.path)
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		m.log.Warn("what was remembered of failed certificates can't be read; it is begun anew", "error", err)
		all = memories{}
	}
	if all.Attempts == nil {
		all.Attempts = map[string]Attempt{}
	}
	if all.Unused == nil {
		all.Unused = map[string]time.Time{}
	}
	return all
}
