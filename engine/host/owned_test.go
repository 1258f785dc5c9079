package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func TestEveryDirectoryOnTheWayIsLookedAt(t *testing.T) {
	const nobody = 65534
	for _, c := range []struct {
		name  string
		spoil func(dir string) error // of DIR/above/dir, with a link DIR/link to above
		path  string
		at    string // where somebody else could change it; "" for nowhere
	}{
		{"as it should be", func(string) error { return nil }, "above/dir", ""},
		{"through a link", func(string) error { return nil }, "link/dir", ""},
		{"itself open to its group", func(d string) error { return os.Chmod(d+"/above/dir", 0o775) }, "above/dir", "above/dir"},
		{"one above open to everybody", func(d string) error { return os.Chmod(d+"/above", 0o757) }, "above/dir", "above"},
		{"one above open behind a link", func(d string) error { return os.Chmod(d+"/above", 0o757) }, "link/dir", "above"},
		{"one above open as /tmp is", func(d string) error { return os.Chmod(d+"/above", 0o777|fs.ModeSticky) }, "above/dir", ""},
		{"itself open as /tmp is", func(d string) error { return os.Chmod(d+"/above/dir", 0o777|fs.ModeSticky) }, "above/dir", "above/dir"},
		{"one above somebody else's", func(d string) error { return os.Chown(d+"/above", nobody, nobody) }, "above/dir", "above"},
		{"somebody else's link", func(d string) error { return os.Lchown(d+"/link", nobody, nobody) }, "link/dir", "link"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			is.NoErr(os.MkdirAll(filepath.Join(dir, "above", "dir"), 0o755))
			is.NoErr(os.Symlink("above", filepath.Join(dir, "link")))
			if err := c.spoil(dir); errors.Is(err, fs.ErrPermission) {
				t.Skip("only root can give a directory away")
			}
			path := filepath.Join(dir, c.path)
			err := host.CheckOwned(host.OS{}, path)
			if c.at == "" {
				is.NoErr(err)
				return
			}
			var untrusted *host.TrustError
			is.True(errors.As(err, &untrusted))
			is.Equal(untrusted.Path, path)
			is.Equal(untrusted.At, filepath.Join(dir, c.at))
		})
	}
}

func TestAWayWithoutAnEndIsAnError(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Symlink("b", filepath.Join(dir, "a")))
	is.NoErr(os.Symlink("a", filepath.Join(dir, "b")))
	is.True(errors.Is(host.CheckOwned(host.OS{}, filepath.Join(dir, "a")), syscall.ELOOP))
	is.True(errors.Is(host.CheckOwned(host.OS{}, filepath.Join(dir, "none")), fs.ErrNotExist))
	is.NoErr(os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	is.True(errors.Is(host.CheckOwned(host.OS{}, filepath.Join(dir, "file", "dir")), syscall.ENOTDIR))
}

func TestAFileThatOthersCouldHaveWrittenIsRefused(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "file")
	is.NoErr(os.WriteFile(file, nil, 0o600))
	is.NoErr(host.CheckOwnedFile(host.OS{}, file))
	is.NoErr(os.Symlink(file, file+".link"))
	is.True(host.CheckOwnedFile(host.OS{}, file+".link") != nil) // it may lead anywhere
	is.NoErr(os.Chmod(file, 0o620))
	var untrusted *host.TrustError
	is.True(errors.As(host.CheckOwnedFile(host.OS{}, file), &untrusted))
	is.Equal(untrusted.Owner, -1)
}
