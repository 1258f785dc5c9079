package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A host is an nginx of the bench's own with a number of generated routes.
type host struct {
	*enginetest.Lab
	eng    *engine.Engine
	routes []resources.Route
}

// makeDir makes the directory of all hosts of a run, which remove removes with what they leave. No host's files are removed
// before that: for some minutes ext4 doesn't use a removed file's inode again, and the search past thousands of those
// would be most of what making a file takes.
func (b *bench) makeDir() (remove func(), err error) {
	b.dir, err = os.MkdirTemp("", "bench-")
	// Has ext4 look for inodes elsewhere for each host: a bench before this one may have removed thousands here.
	_ = exec.Command("chattr", "+T", b.dir).Run()
	return func() { _ = os.RemoveAll(b.dir) }, err
}

// newLab starts an nginx.
func (b *bench) newLab() (*enginetest.Lab, error) {
	dir, err := os.MkdirTemp(b.dir, "host-")
	if err != nil {
		return nil, err
	}
	// As nginx's workers, which are not root, have to be able to enter it.
	if err := errors.Join(os.Chmod(b.dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		return nil, err
	}
	return enginetest.New(enginetest.Options{Dir: dir})
}

// newHost starts an nginx and gives it n routes.
func (b *bench) newHost(ctx context.Context, n int) (*host, error) {
	lab, err := b.newLab()
	if err != nil {
		return nil, err
	}
	h := &host{Lab: lab}
	if h.eng, err = h.open(true); err != nil {
		return nil, h.fail(err)
	}
	for i := range n {
		h.routes = append(h.routes, makeRoute(i, 8000+i%1000))
	}
	if n > 0 {
		if _, err := h.eng.Do(ctx, h.desired(h.routes)); err != nil {
			return nil, h.fail(fmt.Errorf("apply %d routes: %w", n, err))
		}
	}
	return h, nil
}

func (h *host) fail(err error) error {
	h.Close()
	return err
}

func (h *host) open(noSync bool) (*engine.Engine, error) {
	o := h.EngineOptions()
	o.State.NoSync = noSync
	return engine.Open(o)
}

func (h *host) desired(routes []resources.Route) engine.Request {
	return engine.Request{Operation: "apply", Routes: routes}
}

// makeRoute returns one of many routes. No two have an upstream in common, as on a host that serves applications.
func makeRoute(i, port int) resources.Route {
	r, err := resources.NewRoute(routeFields(i, port))
	if err != nil {
		panic(err) // nothing in the fields is from outside
	}
	return r
}

func routeFields(i, port int) resources.RouteFields {
	name := fmt.Sprintf("app-%05d", i)
	return resources.RouteFields{
		DropletName: name, Domain: name + ".example.com", UpstreamHost: "127.0.0.1", UpstreamPort: port,
		EnableSSL: new(false), RequireHealthy: new(false), // the floor asks no upstream either
	}
}

// text returns a route's file as it is on the disk.
func (h *host) text(r resources.Route) (string, error) {
	b, err := os.ReadFile(filepath.Join(h.SitesAvailable, resources.FilePrefix+r.Name()+resources.FileSuffix))
	return string(b), err
}

// handWritten is a generated file as somebody would write it by hand, for another name: the same directives, without the
// header, and the upstream under its plain name.
func handWritten(text, name, newName string) string {
	var body []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			body = append(body, line)
		}
	}
	plain := upstreamName.ReplaceAllString(strings.Join(body, ""), "$1")
	return strings.ReplaceAll(strings.TrimLeft(plain, "\n"), name, newName)
}

var upstreamName = regexp.MustCompile(`[0-9a-f]{4}_fpai_([a-z0-9_-]+)`)

var versionLine = regexp.MustCompile(`nginx/(\d+\.\d+\.\d+)`)

func nginxVersion() string {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		bin = "/usr/sbin/nginx"
	}
	out, _ := exec.Command(bin, "-v").CombinedOutput()
	if m := versionLine.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return "?"
}

// settings are what routes are rendered with on this host.
func (h *host) settings() (resources.Settings, error) {
	v, err := version.NewVersion(nginxVersion())
	return resources.Settings{HTTPPort: h.HTTPPort, HTTPSPort: h.HTTPSPort, Nginx: v, Webroot: filepath.Join(h.StateDir, "acme")}, err
}
