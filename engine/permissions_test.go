package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

func TestDirectoriesThatOthersCanWriteAreRefused(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	for _, dir := range []string{h.SitesAvailable, h.SitesEnabled, h.StateDir} {
		for _, mode := range []os.FileMode{0o775, 0o757} {
			is.NoErr(os.Chmod(dir, mode))
			before := h.Tree()
			_, err := h.Do(t.Context(), engine.Put(unasked(t, "alpha")))
			is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
			is.True(strings.Contains(err.Error(), dir)) // which one
			is.Equal(h.Tree(), before)
		}
		is.NoErr(os.Chmod(dir, 0o755))
	}
	h.put(unasked(t, "alpha"))
}

func TestADirectoryOfSomebodyElseIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	is, h := begin(t, enginetest.Options{})
	is.NoErr(os.Chown(h.SitesAvailable, 65534, 65534))
	_, err := h.Do(t.Context(), engine.Put(unasked(t, "alpha")))
	is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
	is.True(strings.Contains(err.Error(), "65534"))
}

func TestNoLinkLeadsTheProgramOutOfItsDirectories(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	outside := filepath.Join(t.TempDir(), "passwd")
	is.NoErr(os.WriteFile(outside, []byte("root:x:0:0\n"), 0o644))
	file := h.SitesAvailable + "/fpai-alpha.conf"
	intact := func() {
		t.Helper()
		b, err := os.ReadFile(outside)
		is.NoErr(err)
		is.Equal(string(b), "root:x:0:0\n")
	}

	// A link where the route's file would be.
	is.NoErr(os.Symlink(outside, file))
	_, err := h.Do(t.Context(), engine.Put(unasked(t, "alpha")))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
	intact()
	is.NoErr(os.Remove(file))

	// A link where the temporary file would be, its name guessed.
	guessed := h.another(func(o *engine.Options) { o.NewID = func() string { return "20990101T000000.000000-abcdef" } })
	for i := range 10 {
		is.NoErr(os.Symlink(outside, fmt.Sprintf("%s/.pm-20990101T000000.000000-abcdef-%d.new", h.SitesAvailable, i)))
	}
	_, err = guessed.Do(t.Context(), engine.Put(unasked(t, "alpha")))
	is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	intact()

	// A managed file that was replaced by a link since.
	h.put(unasked(t, "beta"))
	file = h.SitesAvailable + "/fpai-beta.conf"
	is.NoErr(os.Remove(file))
	is.NoErr(os.Symlink(outside, file))
	_, err = h.Do(t.Context(), engine.Put(route(t, "beta", 2, unchecked)))
	is.True(err != nil)
	intact()
}

func TestAFIFOInTheDirectoryHangsNobody(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	is.NoErr(syscall.Mkfifo(h.SitesAvailable+"/fpai-pipe.conf", 0o644))
	_, err := h.Do(t.Context(), engine.Put(unasked(t, "pipe")))
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "fpai-pipe.conf"))
	_, err = h.Plan(t.Context(), engine.Adopt(h.SitesAvailable+"/fpai-pipe.conf", "pipe"))
	is.True(err != nil)
}

func TestFilesHaveTheirRightsWhateverTheUmask(t *testing.T) {
	is := is.New(t)
	h := startHost(t, enginetest.Options{}) // not beside others: the umask is the whole process's
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	h.StateDir = filepath.Join(h.StateDir, "new")
	h.Engine = h.another()
	h.put(unasked(t, "alpha"))
	for path, mode := range map[string]os.FileMode{
		h.SitesAvailable + "/fpai-alpha.conf": 0o644, h.StateDir: 0o755, h.Webroot() + "/.well-known/acme-challenge": 0o755,
		h.StateDir + "/journal": 0o700, h.StateDir + "/history": 0o700,
	} {
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), mode)
	}
}

func TestTheStateMayBeOnAnotherFileSystem(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	var here, there syscall.Statfs_t
	is.NoErr(syscall.Statfs(h.Dir, &here))
	if err := syscall.Statfs("/dev/shm", &there); err != nil || here.Fsid == there.Fsid {
		t.Skip("there is no second file system here")
	}
	state, err := os.MkdirTemp("/dev/shm", "state")
	is.NoErr(err)
	defer os.RemoveAll(state)
	is.NoErr(os.Chmod(state, 0o755))
	h.Engine = h.another(func(o *engine.Options) { o.State.Dir = state })
	h.put(h.route("alpha"))
	before := h.Tree()
	res := h.put(h.route("alpha", withBodySize("1m")))
	_, err = h.Do(t.Context(), engine.Rollback(res.ID))
	is.NoErr(err)
	is.Equal(h.Tree(), before)
}
