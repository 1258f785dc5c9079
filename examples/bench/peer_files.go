package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A fileTool is a program that makes files what they are described to be. It knows nothing of nginx.
type fileTool interface {
	// want writes the description: the content of each path.
	want(files map[string]string) error
	// plan finds out that there is nothing to do, and fails if there is.
	plan(ctx context.Context) error
	apply(ctx context.Context) error
}

// compareWithFileTool has a tool keep the same sites as Proxy Manager: a plan that finds nothing to do, and a change of one
// site, after which nginx's test and its reload are done for the tool. Both sides are programs that are started anew each
// time, as at a terminal.
func (b *bench) compareWithFileTool(ctx context.Context, name string, n int, t fileTool) error {
	b.say("%d sites kept by %s…", n, name)
	h, err := b.newHost(ctx, n)
	if err != nil {
		return err
	}
	defer h.Close()
	p, err := b.planner(h)
	if err != nil {
		return err
	}
	o, err := b.newHost(ctx, 0)
	if err != nil {
		return err
	}
	defer o.Close()
	k, err := newKept(ctx, h, o, t)
	if err != nil {
		return err
	}
	rounds := min(3, b.scale.rounds) // the tools take their time
	timing := func(f func() error) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			h.rest()
			o.rest()
			return timed(f)
		}
	}
	plans, err := interleave(rounds, timing(func() error { return p.plan(ctx) }), timing(func() error { return t.plan(ctx) }))
	if err != nil {
		return err
	}
	changes, err := interleave(rounds, func() (time.Duration, error) {
		if err := p.changeOne(); err != nil {
			return 0, err
		}
		return timing(func() error { return p.apply(ctx) })()
	}, func() (time.Duration, error) {
		if err := k.changeOne(); err != nil {
			return 0, err
		}
		return timing(func() error { return k.apply(ctx) })()
	})
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("plan without a change, %d routes", n), plans[0], name, plans[1], "")
	b.table.compare(fmt.Sprintf("one route of %d changed, and served", n), changes[0], name+", -t, SIGHUP", changes[1], "")
	return nil
}

// A desired is a host that the command line keeps as a file describes it.
type desired struct {
	binary, file string
	env          []string
	routes       []resources.Route
	port         int
}

func (b *bench) planner(h *host) (*desired, error) {
	d := &desired{binary: b.binary, file: filepath.Join(h.Dir, "proxies.json"), env: append(os.Environ(), h.Env()...), routes: h.routes, port: 40_000}
	return d, d.save()
}

func (d *desired) save() error {
	text, err := json.Marshal(map[string]any{"routes": d.routes})
	if err != nil {
		return err
	}
	return os.WriteFile(d.file, text, 0o600)
}

func (d *desired) changeOne() error {
	d.port++
	d.routes[len(d.routes)/2] = makeRoute(len(d.routes)/2, d.port)
	return d.save()
}

func (d *desired) plan(ctx context.Context) error {
	return run(ctx, "", d.env, d.binary, "plan", "--file", d.file, "--detailed-exitcode")
}

func (d *desired) apply(ctx context.Context) error {
	return run(ctx, "", d.env, d.binary, "apply", "--file", d.file, "--auto-approve", "--quiet")
}

// A kept is a host whose files a tool keeps.
type kept struct {
	*host
	tool  fileTool
	files map[string]string
	one   string // the path of the site that changes
	round int
}

// newKept makes o a host with the sites of like, kept by a tool.
func newKept(ctx context.Context, like, o *host, t fileTool) (*kept, error) {
	sites, err := like.sitesFor(o)
	if err != nil {
		return nil, err
	}
	k := &kept{host: o, tool: t, files: map[string]string{}}
	for name, text := range sites {
		path := filepath.Join(o.SitesAvailable, name)
		k.files[path] = text
		if err := os.Symlink(path, filepath.Join(o.SitesEnabled, name)); err != nil {
			return nil, err
		}
	}
	k.one = filepath.Join(o.SitesAvailable, resources.FilePrefix+like.routes[len(like.routes)/2].Name()+resources.FileSuffix)
	if err := t.want(k.files); err != nil {
		return nil, err
	}
	return k, k.apply(ctx)
}

func (k *kept) changeOne() error {
	k.round++
	k.files[k.one] = strings.TrimRight(k.files[k.one], "#\n ") + fmt.Sprintf("\n# %d\n", k.round)
	return k.tool.want(k.files)
}

func (k *kept) apply(ctx context.Context) error {
	if err := k.tool.apply(ctx); err != nil {
		return err
	}
	if err := k.testConfig(); err != nil {
		return err
	}
	return k.reload()
}

// run runs a program to its end, and fails if it does, with the end of what it said.
func run(ctx context.Context, dir string, env []string, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, out[max(0, len(out)-400):])
	}
	return nil
}
