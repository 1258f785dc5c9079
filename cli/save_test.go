package cli_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/matryer/is"
)

func TestAPlanIsSavedWhereItIsToBeAndNothingButARegularFileIsReplaced(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	want := h.must("plan", "--json").stdout
	path := func(name string) string { return filepath.Join(h.Dir, name) }
	kind := func(name string) fs.FileMode {
		info, err := os.Lstat(path(name))
		is.NoErr(err)
		return info.Mode().Type()
	}
	// A FIFO is written to.
	is.NoErr(syscall.Mkfifo(path("fifo"), 0o600))
	reader := exec.Command("cat", path("fifo"))
	var read strings.Builder
	reader.Stdout = &read
	is.NoErr(reader.Start())
	h.must("plan", "--out", "fifo")
	is.NoErr(reader.Wait())
	is.Equal(read.String(), want)
	is.Equal(kind("fifo"), fs.ModeNamedPipe)

	// Links are followed: to a device, to a file by way of another folder, to none yet, and to standard output.
	is.NoErr(os.Mkdir(path("plans"), 0o700))
	is.NoErr(os.Symlink("/dev/null", path("null")))
	is.NoErr(os.Symlink("plans/kept.json", path("link")))
	is.NoErr(os.Symlink("link", path("link-to-link")))
	h.must("plan", "--out", "null")
	is.Equal(kind("null"), fs.ModeSymlink)
	null, err := os.Stat("/dev/null")
	is.NoErr(err)
	is.True(null.Mode()&fs.ModeCharDevice != 0)
	for range 2 {
		h.must("plan", "--out", "link-to-link")
		is.Equal(kind("link"), fs.ModeSymlink)
		is.Equal(kind("link-to-link"), fs.ModeSymlink)
		is.Equal(string(readFile(t, path("plans/kept.json"))), want)
	}
	for _, stdout := range []string{"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"} {
		got := h.must("plan", "--out", stdout)
		is.True(strings.HasPrefix(got.stdout, want))
	}
	is.Equal(h.must("plan", "--out", "-").stdout, want) // and nothing else
	is.Equal(h.must("plan", "--out", "-", "--json").stdout, want)

	// What can't be written is an error, and leaves nothing behind.
	is.NoErr(os.Symlink("/dev/full", path("full")))
	is.NoErr(os.Symlink("loop", path("loop")))
	before, err := os.ReadDir(h.Dir)
	is.NoErr(err)
	for _, bad := range []string{"full", "loop", "plans", "nowhere/plan.json"} {
		got := h.run("plan", "--out", bad)
		is.Equal(got.code, 1)
		is.True(strings.Contains(got.stderr, "save the plan"))
	}
	after, err := os.ReadDir(h.Dir)
	is.NoErr(err)
	is.Equal(len(after), len(before))
}
