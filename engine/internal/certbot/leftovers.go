package certbot

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
)

// leftovers know what was there before an attempt, so that what a failed one leaves can be told from it.
type leftovers struct {
	c       *Client
	lineage string
	fresh   bool // there was nothing of the lineage
	before  map[string][]string
}

func (c *Client) noteLeftovers(lineage string) *leftovers {
	l := &leftovers{c: c, lineage: lineage, fresh: true, before: map[string][]string{}}
	for _, dir := range l.scratch() {
		l.before[dir] = names(c.opts.FS, dir)
	}
	for _, path := range l.places() {
		if _, err := c.opts.FS.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			l.fresh = false
		}
	}
	return l
}

// scratch are the directories where certbot puts a request and its key before it has an answer.
func (l *leftovers) scratch() []string {
	return []string{l.c.path("csr"), l.c.path("keys")}
}

func (l *leftovers) places() []string {
	return []string{
		l.c.path(liveDir, l.lineage), l.c.path(archiveDir, l.lineage), l.c.path(renewalDir, l.lineage+".conf"),
	}
}

// clean removes what an attempt has left, however it ended: answers to challenges, the request, and a second copy of the
// key that nobody needs. Newer versions of certbot leave none.
func (l *leftovers) clean() {
	l.cleanChallenges()
	for dir, before := range l.before {
		for _, name := range names(l.c.opts.FS, dir) {
			if !slices.Contains(before, name) {
				_ = l.c.opts.FS.Remove(filepath.Join(dir, name))
			}
		}
	}
}

// cleanLineage removes, after a failed attempt, a lineage of which only parts came about: certbot itself would stumble
// over them for ever.
func (l *leftovers) cleanLineage() {
	if l.fresh {
		for _, path := range l.places() {
			for _, name := range names(l.c.opts.FS, path) {
				_ = l.c.opts.FS.Remove(filepath.Join(path, name))
			}
			_ = l.c.opts.FS.Remove(path)
		}
	}
}

// cleanChallenges empties the webroot: nobody but this program, which holds its lock, puts anything there.
func (l *leftovers) cleanChallenges() {
	dir := acme.ChallengeDir(l.c.opts.Webroot)
	for _, name := range names(l.c.opts.FS, dir) {
		_ = l.c.opts.FS.Remove(filepath.Join(dir, name))
	}
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
