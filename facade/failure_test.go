package facade_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func TestARouteThatNginxRefusesIs500WithNginxsWords(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	// A name that only nginx knows to be taken: the upstream block of the route to come.
	text := c.do("PUT", "/proxies/alpha?dry_run=true", routeBody("alpha", up.Port(), "")).body
	_, text, found := strings.Cut(text, `+upstream `)
	is.True(found)
	is.NoErr(os.WriteFile(filepath.Join(c.lab.ConfD, "taken.conf"), []byte("upstream "+strings.Fields(text)[0]+" { server 127.0.0.1:9; }\n"), 0o644))
	before := c.lab.Tree()

	r := c.do("PUT", "/proxies/alpha", routeBody("alpha", up.Port(), ""))
	is.Equal(r.status, 500)
	is.Equal(r.code(t), "NGINX_TEST_FAILED")
	is.True(strings.Contains(r.detail(t, "nginx_output").(string), "duplicate upstream"))
	is.Equal(r.detail(t, "outcome"), "everything was undone")
	is.Equal(c.lab.Tree().Diff(before), "")
}

func TestAReloadThatNginxDoesNotTakeUpIs500AndUndone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	c.put("alpha", up.Port())
	before := c.lab.Tree()
	port := c.lab.FreePort()
	defer c.lab.Occupy(port)()
	other := serve(t, c.lab, setup{engine: func(o *engine.Options) { o.Nginx.HTTPPort = port }})

	r := other.do("PUT", "/proxies/beta", routeBody("beta", up.Port(), ""))
	is.Equal(r.status, 500)
	is.Equal(r.code(t), "NGINX_RELOAD_FAILED")
	is.Equal(r.detail(t, "outcome"), "everything was undone")
	is.Equal(c.lab.Tree().Diff(before), "")
}

// A badDisk is the host's files on a disk on which, in one directory, nothing more can be made, or no site removed.
type badDisk struct {
	host.OS
	dir             string
	creates, remove bool
}

func (d badDisk) Create(name string, perm fs.FileMode) (host.File, error) {
	if d.creates && strings.HasPrefix(name, d.dir) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOSPC}
	}
	return d.OS.Create(name, perm)
}

func (d badDisk) Rename(oldname, newname string) error {
	if d.remove && strings.HasPrefix(oldname, d.dir) && strings.HasSuffix(oldname, ".conf") {
		return &fs.PathError{Op: "rename", Path: oldname, Err: syscall.EIO}
	}
	return d.OS.Rename(oldname, newname)
}

func (d badDisk) Remove(name string) error {
	if d.remove && strings.HasPrefix(name, d.dir) && strings.HasSuffix(name, ".conf") {
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.EIO}
	}
	return d.OS.Remove(name)
}

func TestWhatCannotBeWrittenOrDeletedIs500AndUndone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("alpha")
	c.put("alpha", up.Port())
	before := c.lab.Tree()
	on := func(d badDisk) *client {
		d.dir = c.lab.SitesEnabled
		if d.creates {
			d.dir = c.lab.SitesAvailable
		}
		return serve(t, c.lab, setup{engine: func(o *engine.Options) { o.FS = d }})
	}

	r := on(badDisk{creates: true}).do("PUT", "/proxies/beta", routeBody("beta", up.Port(), ""))
	is.Equal(r.status, 500)
	is.Equal(r.code(t), "CONFIG_WRITE_FAILED")
	is.Equal(c.lab.Tree().Diff(before), "")

	r = on(badDisk{remove: true}).do("DELETE", "/proxies/alpha", "")
	is.Equal(r.status, 500)
	is.Equal(r.code(t), "CONFIG_DELETE_FAILED")
	is.Equal(c.lab.Tree().Diff(before), "")

	// A directory that others may write to is not written to at all.
	is.NoErr(os.Chmod(c.lab.SitesAvailable, 0o777))
	is.Equal(c.do("PUT", "/proxies/beta", routeBody("beta", up.Port(), "")).code(t), "CONFIG_WRITE_FAILED")
}
