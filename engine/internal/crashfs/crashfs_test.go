package crashfs

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

// outcomes returns every tree that a crash of f can leave below /d, once each.
func outcomes(f *FS) []string {
	seen := map[string]bool{}
	ways := f.Choices()
	pick := make([]int, len(ways))
	for {
		after := f.Crash(pick)
		text := ""
		tree := after.Tree("/d")
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			b, _ := after.ReadFile(name)
			text += name[len("/d/"):] + "=" + string(b) + " "
		}
		seen[text] = true
		i := 0
		for ; i < len(pick); i++ {
			if pick[i]++; pick[i] < ways[i] {
				break
			}
			pick[i] = 0
		}
		if i == len(pick) {
			return slices.Sorted(maps.Keys(seen))
		}
	}
}

func write(t *testing.T, f *FS, name, text string, sync bool) {
	t.Helper()
	file, err := f.Create(name, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := file.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func newFS(t *testing.T) *FS {
	t.Helper()
	f := New()
	for _, dir := range []string{"/d", "/e"} {
		if err := f.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.SyncAll()
	return f
}

func TestAClosedFileMayBeLostCutOrZero(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/d/a", "four", false)
	is.Equal(outcomes(f), []string{"", "a=\x00\x00\x00\x00 ", "a= ", "a=fo ", "a=four "})
	is.NoErr(f.SyncDir("/d"))
	is.Equal(outcomes(f), []string{"a=\x00\x00\x00\x00 ", "a= ", "a=fo ", "a=four "}) // the name alone is durable
}

func TestASyncedFileMayLoseItsName(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/d/a", "four", true)
	is.Equal(outcomes(f), []string{"", "a=four "})
	is.NoErr(f.SyncDir("/d"))
	is.Equal(outcomes(f), []string{"a=four "})
}

func TestEntriesOfOneDirectoryPersistInAnySubset(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	is.NoErr(f.Symlink("x", "/d/a"))
	is.NoErr(f.Symlink("y", "/d/b"))
	is.Equal(outcomes(f), []string{"", "a= ", "a= b= ", "b= "})
}

func TestARenameIsWholeOrNothing(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/d/a", "old", true)
	write(t, f, "/d/b", "new", true)
	is.NoErr(f.SyncDir("/d"))
	is.NoErr(f.Rename("/d/b", "/d/a"))
	is.Equal(outcomes(f), []string{"a=new ", "a=old b=new "})
}

func TestARenameBetweenDirectoriesNeverLosesTheFile(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/e/a", "x", true)
	is.NoErr(f.SyncDir("/e"))
	is.NoErr(f.Rename("/e/a", "/d/a"))
	f.SyncAll()
	is.Equal(outcomes(f), []string{"a=x "})
	is.NoErr(f.Rename("/d/a", "/e/a"))
	for _, pick := range [][]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		after := f.Crash(pick)
		is.True(len(after.Tree("/d"))+len(after.Tree("/e")) > 0)
	}
	is.NoErr(f.SyncDir("/d")) // the old place alone
	is.Equal(len(f.Crash(make([]int, len(f.Choices()))).Tree("/e")), 1)
}

func TestRenamingAFileToItsOtherNameLeavesBoth(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/d/a", "x", true)
	is.NoErr(f.Link("/d/a", "/d/b"))
	is.NoErr(f.Rename("/d/b", "/d/a"))
	is.Equal(len(f.Tree("/d")), 2)
}

func TestCallsFailAsOnARealFileSystem(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	write(t, f, "/d/a", "x", true)
	_, err := f.Create("/d/a", 0o644)
	is.True(errors.Is(err, fs.ErrExist))
	is.True(errors.Is(f.Link("/d/a", "/d/a"), fs.ErrExist))
	is.True(errors.Is(f.Remove("/d/none"), fs.ErrNotExist))
	is.True(errors.Is(f.Remove("/d"), syscall.ENOTEMPTY))
	is.NoErr(f.Symlink("a", "/d/l"))
	b, err := f.ReadFile("/d/l")
	is.NoErr(err)
	is.Equal(string(b), "x")
	_, err = f.OpenAppend("/d/l")
	is.True(errors.Is(err, syscall.ELOOP))
	info, err := f.Lstat("/d/a")
	is.NoErr(err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	is.True(ok)
	is.Equal(stat.Mode, uint32(syscall.S_IFREG|0o644))
}

func TestBeforeMakesCallsFail(t *testing.T) {
	is := is.New(t)
	f := newFS(t)
	file, err := f.Create("/d/a", 0o644)
	is.NoErr(err)
	f.Before = func(Op) error { return ErrShortWrite }
	n, err := file.Write([]byte("four"))
	is.Equal(n, 2)
	is.True(errors.Is(err, syscall.ENOSPC))
	f.Before = func(Op) error { return ErrLie }
	is.NoErr(file.Sync())
	is.NoErr(f.SyncDir("/d"))
	f.Before = nil
	is.Equal(outcomes(f)[0], "") // the syncs were lies
}
