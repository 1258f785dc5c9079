package engine

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// leftovers know what was there before an attempt, so that what a failed one leaves can be told from it.
type leftovers struct {
	e       *Engine
	lineage string
	fresh   bool // there was nothing of the lineage
	before  map[string][]string
}

func (e *Engine) noteLeftovers(lineage string) *leftovers {
	l := &leftovers{e: e, lineage: lineage, fresh: true, before: map[string][]string{}}
	for _, dir := range l.scratch() {
		l.before[dir] = names(e.fs, dir)
	}
	for _, path := range l.places() {
		if _, err := e.fs.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			l.fresh = false
		}
	}
	return l
}

// scratch are the directories where certbot puts a request and its key before it has an answer.
func (l *leftovers) scratch() []string {
	return []string{l.e.certbotPath("csr"), l.e.certbotPath("keys")}
}

func (l *leftovers) places() []string {
	return []string{
		l.e.certbotPath(liveDir, l.lineage), l.e.certbotPath(archiveDir, l.lineage), l.e.certbotPath(renewalDir, l.lineage+".conf"),
	}
}

// clean removes what an attempt has left, however it ended: answers to challenges, the request, and a second copy of the
// key that nobody needs. Newer versions of certbot leave none.
func (l *leftovers) clean() {
	l.cleanChallenges()
	for dir, before := range l.before {
		for _, name := range names(l.e.fs, dir) {
			if !slices.Contains(before, name) {
				_ = l.e.fs.Remove(filepath.Join(dir, name))
			}
		}
	}
}

// cleanLineage removes, after a failed attempt, a lineage of which only parts came about: certbot itself would stumble
// over them for ever.
func (l *leftovers) cleanLineage() {
	if l.fresh {
		for _, path := range l.places() {
			for _, name := range names(l.e.fs, path) {
				_ = l.e.fs.Remove(filepath.Join(path, name))
			}
			_ = l.e.fs.Remove(path)
		}
	}
}

// cleanChallenges empties the webroot: nobody but this program, which holds its lock, puts anything there.
func (l *leftovers) cleanChallenges() {
	dir := l.e.challengeDir()
	for _, name := range names(l.e.fs, dir) {
		_ = l.e.fs.Remove(filepath.Join(dir, name))
	}
}

func (e *Engine) challengeDir() string {
	return filepath.Join(e.Webroot(), ".well-known", "acme-challenge")
}

// names are the names in a directory; none where it can't be read.
func names(fsys host.FS, dir string) []string {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil
	}
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}
