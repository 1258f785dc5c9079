package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestDirectoriesThatOthersCanWriteAreRefused(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	for _, dir := range []string{lab.SitesAvailable, lab.SitesEnabled, lab.StateDir} {
		for _, mode := range []os.FileMode{0o775, 0o757} {
			is.NoErr(os.Chmod(dir, mode))
			before := lab.Tree()
			_, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
			is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
			is.True(strings.Contains(err.Error(), dir)) // which one
			is.Equal(lab.Tree(), before)
		}
		is.NoErr(os.Chmod(dir, 0o755))
	}
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
	is.NoErr(err)
}

func TestADirectoryOfSomebodyElseIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(os.Chown(lab.SitesAvailable, 65534, 65534))
	_, err := open(t, lab).Do(context.Background(), engine.Put(route(t, "alpha", 1, unchecked)))
	is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
	is.True(strings.Contains(err.Error(), "65534"))
}

func TestNoLinkLeadsTheProgramOutOfItsDirectories(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	outside := filepath.Join(t.TempDir(), "passwd")
	is.NoErr(os.WriteFile(outside, []byte("root:x:0:0\n"), 0o644))
	file := lab.SitesAvailable + "/fpai-alpha.conf"
	intact := func() {
		t.Helper()
		b, err := os.ReadFile(outside)
		is.NoErr(err)
		is.Equal(string(b), "root:x:0:0\n")
	}

	// A link where the route's file would be.
	e := open(t, lab)
	is.NoErr(os.Symlink(outside, file))
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
	intact()
	is.NoErr(os.Remove(file))

	// A link where the temporary file would be, its name guessed.
	e = open(t, lab, func(o *engine.Options) { o.NewID = func() string { return "20990101T000000.000000-abcdef" } })
	for i := range 10 {
		is.NoErr(os.Symlink(outside, fmt.Sprintf("%s/.pm-20990101T000000.000000-abcdef-%d.new", lab.SitesAvailable, i)))
	}
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
	is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	intact()

	// A managed file that was replaced by a link since.
	e = open(t, lab)
	_, err = e.Do(ctx, engine.Put(route(t, "beta", 1, unchecked)))
	is.NoErr(err)
	file = lab.SitesAvailable + "/fpai-beta.conf"
	is.NoErr(os.Remove(file))
	is.NoErr(os.Symlink(outside, file))
	_, err = e.Do(ctx, engine.Put(route(t, "beta", 2, unchecked)))
	is.True(err != nil)
	intact()
}

func TestAFIFOInTheDirectoryHangsNobody(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	is.NoErr(syscall.Mkfifo(lab.SitesAvailable+"/fpai-pipe.conf", 0o644))
	_, err := e.Do(ctx, engine.Put(route(t, "pipe", 1, unchecked)))
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "fpai-pipe.conf"))
	_, err = e.Plan(ctx, engine.Adopt(lab.SitesAvailable+"/fpai-pipe.conf", "pipe"))
	is.True(err != nil)
}

func TestFilesHaveTheirRightsWhateverTheUmask(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	lab.StateDir = filepath.Join(lab.StateDir, "new")
	e := open(t, lab)
	_, err := e.Do(context.Background(), engine.Put(route(t, "alpha", 1, unchecked)))
	is.NoErr(err)
	for path, mode := range map[string]os.FileMode{
		lab.SitesAvailable + "/fpai-alpha.conf": 0o644, lab.StateDir: 0o755, e.Webroot() + "/.well-known/acme-challenge": 0o755,
		lab.StateDir + "/journal": 0o700, lab.StateDir + "/history": 0o700,
	} {
		info, err := os.Stat(path)
		is.NoErr(err)
		is.Equal(info.Mode().Perm(), mode)
	}
}

func TestTheStateMayBeOnAnotherFileSystem(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	var here, there syscall.Statfs_t
	is.NoErr(syscall.Statfs(lab.Dir, &here))
	if err := syscall.Statfs("/dev/shm", &there); err != nil || here.Fsid == there.Fsid {
		t.Skip("there is no second file system here")
	}
	state, err := os.MkdirTemp("/dev/shm", "state")
	is.NoErr(err)
	defer os.RemoveAll(state)
	is.NoErr(os.Chmod(state, 0o755))
	e := open(t, lab, func(o *engine.Options) { o.State.Dir = state })
	up := lab.Upstream("up")
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	before := lab.Tree()
	res, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port(), func(f *resources.RouteFields) { f.MaxBodySize = "1m" })))
	is.NoErr(err)
	_, err = e.Do(ctx, engine.Rollback(res.ID))
	is.NoErr(err)
	is.Equal(lab.Tree(), before)
}
