package enginetest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"
)

// A Tree is what nginx reads, at one moment: every path below conf.d, sites-available and sites-enabled, relative to
// nginx.conf's directory, with its mode, owner and contents (a link's target; the SHA-256 of what is long or not text).
// Two trees of an unchanged host are equal, byte by byte.
type Tree map[string]string

// Tree returns the lab's present tree, to compare with a later one.
func (l *Lab) Tree() Tree {
	t := Tree{}
	for _, dir := range []string{l.ConfD, l.SitesAvailable, l.SitesEnabled} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(filepath.Dir(l.NginxConf), path)
			if err != nil {
				return err
			}
			t[rel], err = describe(path, d)
			return err
		})
		l.must(err)
	}
	return t
}

func describe(path string, d fs.DirEntry) (string, error) {
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	s := info.Mode().String()
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s += fmt.Sprintf(" %d:%d", st.Uid, st.Gid)
	}
	switch {
	case d.IsDir():
		return s, nil
	case d.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return s + " -> " + target, err
	case !d.Type().IsRegular():
		return s, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if len(b) > 16<<10 || !utf8.Valid(b) {
		return fmt.Sprintf("%s sha256 %x", s, sha256.Sum256(b)), nil
	}
	return s + "\n" + string(b), nil
}

// Diff says what it takes to get from before to t, one path after the other with the lines that differ, for a test's
// message. It is empty if the trees are equal:
//
//	is.Equal(lab.Tree().Diff(before), "") // every byte as it was
func (t Tree) Diff(before Tree) string {
	all := maps.Clone(before)
	if all == nil {
		all = Tree{}
	}
	maps.Copy(all, t)
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(all)) {
		old, had := before[path]
		now, has := t[path]
		switch {
		case !had:
			fmt.Fprintf(&b, "+ %s: %s\n", path, firstLine(now))
		case !has:
			fmt.Fprintf(&b, "- %s: %s\n", path, firstLine(old))
		case old != now:
			fmt.Fprintf(&b, "~ %s:\n", path)
			diffLines(&b, strings.Split(old, "\n"), strings.Split(now, "\n"))
		}
	}
	return b.String()
}

// diffLines prints what is left of both when the lines that they share at the start and the end are taken off.
func diffLines(b *strings.Builder, old, now []string) {
	for len(old) > 0 && len(now) > 0 && old[0] == now[0] {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1] == now[len(now)-1] {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	for _, line := range old {
		fmt.Fprintf(b, "    - %s\n", line)
	}
	for _, line := range now {
		fmt.Fprintf(b, "    + %s\n", line)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
