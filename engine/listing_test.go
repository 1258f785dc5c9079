package engine_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// An engine that has listed the routes before must list them as one that looks for the first time does, whatever has been
// done to their files, and at once.
func TestRoutesAreListedAsTheyAreWhoeverChangesTheirFiles(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	alpha := filepath.Join(h.SitesAvailable, "fpai-alpha.conf")
	link := filepath.Join(h.SitesEnabled, "fpai-alpha.conf")
	h.put(unasked(t, "alpha"), unasked(t, "beta"), unasked(t, "gamma"))
	content, err := os.ReadFile(alpha)
	is.NoErr(err)

	for _, c := range []struct {
		name  string
		do    func() error
		count int
	}{
		{"nothing", func() error { return nil }, 3},
		{"a line is appended", func() error { appendTo(t, alpha, "# mine\n"); return nil }, 3},
		{"a byte is changed in its place", func() error { return overwrite(alpha, bytes.IndexByte(content, '{'), '[') }, 3},
		{"its text is put back", func() error { return os.WriteFile(alpha, content, 0o644) }, 3},
		{"an editor puts another file in its place", func() error { return replace(alpha, append(content, '\n')) }, 3},
		{"it is edited by way of its link", func() error { appendTo(t, link, "# mine\n"); return nil }, 3},
		{"its link is removed", func() error { return os.Remove(link) }, 3},
		{"its link is back", func() error { return os.Symlink(alpha, link) }, 3},
		{"its file is removed, and not the link", func() error { return os.Remove(alpha) }, 3},
		{"its link is removed as well", func() error { return os.Remove(link) }, 2},
		{"the file of a stranger has its name", func() error { return os.WriteFile(alpha, []byte("# mine\n"), 0o644) }, 2},
		{"a file of another route has its name", func() error { return copyFile(filepath.Join(h.SitesAvailable, "fpai-beta.conf"), alpha) }, 2},
		{"its own file is back", func() error { return replace(alpha, content) }, 3},
		{"the directory is another one", func() error { return swap(h.SitesAvailable) }, 2}, // two links lead nowhere
		{"the directory is the first one again", func() error { return unswap(h.SitesAvailable) }, 3},
		{"more happens than the kernel remembers", func() error { return flood(h.SitesAvailable, alpha) }, 3},
		{"another engine puts a route", func() error { _, err := h.another().Do(t.Context(), engine.Put(unasked(t, "delta"))); return err }, 4},
		{"it deletes one", func() error { _, err := h.another().Do(t.Context(), engine.Delete("beta")); return err }, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(c.do())
			got, err := h.Routes(t.Context())
			is.NoErr(err)
			want, err := h.another().Routes(t.Context())
			is.NoErr(err)
			is.Equal(len(got), c.count)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("listed\n%+v\nand is\n%+v", got, want)
			}
		})
	}
}

func overwrite(name string, at int, b byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte{b}, int64(at))
	return err
}

func replace(name string, content []byte) error {
	if err := os.WriteFile(name+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func swap(dir string) error {
	if err := os.Rename(dir, dir+".away"); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o755)
}

func unswap(dir string) error {
	if err := os.Remove(dir); err != nil {
		return err
	}
	return os.Rename(dir+".away", dir)
}

// flood causes more events than fs.inotify.max_queued_events, 16384 by default, and changes a route last.
func flood(dir, route string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	if err := os.WriteFile(a, nil, 0o644); err != nil {
		return err
	}
	for range 10_000 {
		if err := os.Rename(a, b); err != nil {
			return fmt.Errorf("flood: %w", err)
		}
		a, b = b, a
	}
	if err := os.Remove(a); err != nil {
		return err
	}
	return overwrite(route, 0, '#')
}
