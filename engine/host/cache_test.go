package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/matryer/is"
)

// counting counts the looks at single paths.
type counting struct {
	OS
	lstats, lists int
}

func (c *counting) Lstat(name string) (fs.FileInfo, error) {
	if filepath.Base(name) != "." {
		c.lstats++
	}
	return c.OS.Lstat(name)
}

func (c *counting) ReadDir(name string) ([]fs.DirEntry, error) {
	c.lists++
	return c.OS.ReadDir(name)
}

func TestALinkIsLookedAtAgainOnceItsDirectoryHasChanged(t *testing.T) {
	is := is.New(t)
	real := filepath.Join(t.TempDir(), "real")
	is.NoErr(os.Mkdir(real, 0o755))
	dir := filepath.Join(t.TempDir(), "by-link") // as sites-enabled may be reached
	is.NoErr(os.Symlink(real, dir))
	link, file := filepath.Join(dir, "link"), filepath.Join(dir, "file")
	is.NoErr(os.Symlink("/one", link))
	is.NoErr(os.WriteFile(file, []byte("one"), 0o644))

	disk, cache := &counting{}, NewCache(time.Now)
	look := func() (target, content string, names []string) {
		o := NewObserver(disk, cache)
		names, err := o.ReadDir(dir)
		is.NoErr(err)
		l, err := o.State(link)
		is.NoErr(err)
		f, err := o.State(file)
		is.NoErr(err)
		return l.Target, string(f.Content), names
	}
	wait := func() { time.Sleep(2 * racy) }
	wait()
	look()
	disk.lstats, disk.lists = 0, 0
	target, content, names := look()
	is.Equal(target+" "+content, "/one one")
	is.Equal(names, []string{"file", "link"})
	is.Equal(disk.lstats, 1) // the file, which may have been written to
	is.Equal(disk.lists, 0)

	changes := map[string]func(){
		"/two one": func() { // as ln -sf does it
			is.NoErr(os.Symlink("/two", link+".new"))
			is.NoErr(os.Rename(link+".new", link))
		},
		"/three one": func() {
			is.NoErr(os.Remove(link))
			is.NoErr(os.Symlink("/three", link))
		},
		" one":       func() { is.NoErr(os.Remove(link)) },
		"/three two": func() { is.NoErr(os.WriteFile(file, []byte("two"), 0o644)) },
		"/four four": func() { // the directory itself is another
			is.NoErr(os.Rename(real, real+".old"))
			is.NoErr(os.Mkdir(real, 0o755))
			is.NoErr(os.Symlink("/four", link))
			is.NoErr(os.WriteFile(file, []byte("four"), 0o644))
		},
	}
	for _, step := range []struct {
		want string
		wait bool
	}{{"/two one", true}, {"/three one", false}, {" one", true}, {"/three one", true}, {"/two one", false}, {" one", false}, {"/three one", false}, {"/three two", true}, {"/four four", true}} {
		if _, err := os.Lstat(link); err != nil { // a step before has removed it
			is.NoErr(os.Symlink("/nowhere", link))
		}
		changes[step.want]()
		target, content, _ := look()
		is.Equal(target+" "+content, step.want) // whatever was remembered
		if step.wait {
			wait()
			target, content, _ = look()
			is.Equal(target+" "+content, step.want)
			look()
		}
	}
}
