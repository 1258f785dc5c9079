package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Here programs are really killed, with SIGKILL, while they change a real nginx under load.

var kills = flag.Int("kills", 12, "how often TestAKilledApply… kills by the clock, and how often by the call")

// A child is what the test binary does when it is started again with childEnv set, as another process.
type child struct {
	Lab *enginetest.Lab // what can be written of it, which is all that an engine needs
	// Desired is applied once. Otherwise routes are put until the end, by several writers.
	Desired *resources.Desired
	Prefix  string
	Port    int
	// Hold has the child do nothing but hold the lock, in the middle of an apply.
	Hold bool
	// KillAt is the call, among those that change the disk, at which the process kills itself; 0 for never.
	KillAt int
}

const childEnv = "ENGINE_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := runChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(text string) error {
	var c struct {
		child
		Desired json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	o := c.Lab.EngineOptions()
	if c.KillAt > 0 {
		o.FS = &deadly{at: int64(c.KillAt)}
	}
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if c.Hold {
		return hold(o, c.Port)
	}
	if len(c.Desired) == 0 || string(c.Desired) == "null" {
		return putForEver(e, c.Prefix, c.Port)
	}
	d, err := resources.ParseDesired(c.Desired)
	if err != nil {
		return err
	}
	if _, err := e.Do(context.Background(), engine.Desired(d)); err != nil {
		return err
	}
	fmt.Println("done")
	return nil
}

// hold starts an apply and stops in the middle of it, for ever.
func hold(o engine.Options, port int) error {
	o.Actor = "somebody else"
	o.OnEvent = func(engine.Event) {
		fmt.Println("held")
		select {}
	}
	e, err := engine.Open(o)
	if err != nil {
		return err
	}
	r, err := resources.NewRoute(fields("held", port))
	if err != nil {
		return err
	}
	_, err = e.Do(context.Background(), engine.Put(r))
	return err
}

func putForEver(e *engine.Engine, prefix string, port int) error {
	errs := make(chan error)
	for w := range 3 {
		go func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, w, i)
				r, err := resources.NewRoute(fields(name, port))
				if err == nil {
					_, err = e.Do(context.Background(), engine.Put(r))
				}
				if err != nil {
					errs <- err
					return
				}
				fmt.Println(name) // the acknowledgement: from now on it must not be lost
			}
		}()
	}
	return <-errs
}

func fields(name string, port int) resources.RouteFields {
	return resources.RouteFields{DropletName: name, Domain: name + ".example.test", UpstreamHost: "127.0.0.1", UpstreamPort: port, EnableSSL: new(false), RequireHealthy: new(false)}
}

// deadly is the host's file system until the process kills itself, ahead of one of the calls that change the disk.
type deadly struct {
	host.OS
	at, calls int64
}

func (d *deadly) step() {
	if atomic.AddInt64(&d.calls, 1) == d.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (d *deadly) Create(name string, perm fs.FileMode) (host.File, error) {
	d.step()
	f, err := d.OS.Create(name, perm)
	if err != nil {
		return nil, err
	}
	return deadlyFile{f, d}, nil
}

func (d *deadly) Link(oldname, newname string) error {
	d.step()
	return d.OS.Link(oldname, newname)
}

func (d *deadly) Symlink(target, name string) error {
	d.step()
	return d.OS.Symlink(target, name)
}

func (d *deadly) Rename(oldname, newname string) error {
	d.step()
	return d.OS.Rename(oldname, newname)
}

func (d *deadly) Remove(name string) error {
	d.step()
	return d.OS.Remove(name)
}

func (d *deadly) SyncDir(name string) error {
	d.step()
	return d.OS.SyncDir(name)
}

func (d *deadly) SyncLater(dir string) (func() error, error) {
	sync, err := d.OS.SyncLater(dir)
	return func() error {
		d.step()
		return sync()
	}, err
}

type deadlyFile struct {
	host.File
	d *deadly
}

func (f deadlyFile) Write(b []byte) (int, error) {
	f.d.step()
	return f.File.Write(b)
}

func (f deadlyFile) Sync() error {
	f.d.step()
	return f.File.Sync()
}

// childOf returns a child that works on the host.
func childOf(h *realHost) child { return child{Lab: h.Lab, Port: h.up.Port()} }

// A process is a child that runs.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, c child) *process {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(b))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, bufio.NewScanner(out)}
	t.Cleanup(func() { p.kill() })
	if !p.lines.Scan() || p.lines.Text() != "ready" {
		t.Fatalf("the child is not ready: %q", p.lines.Text())
	}
	return p
}

// kill kills the process, and returns what it had said by then.
func (p *process) kill() (said []string) {
	_ = p.cmd.Process.Kill()
	return p.wait()
}

// wait waits for the process to end, and returns what it said.
func (p *process) wait() (said []string) {
	for p.lines.Scan() {
		said = append(said, p.lines.Text())
	}
	_ = p.cmd.Wait()
	return said
}

// load asks for a route again and again, on new connections, until it is told to stop. It returns what failed.
func load(lab *enginetest.Lab, domain string) (stop func() (requests int, failed []string)) {
	var wg sync.WaitGroup
	ended := make(chan struct{})
	var requests int
	var failed []string
	wg.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(2 * time.Millisecond):
			}
			requests++
			if got, err := lab.Get(domain, "/name"); err != nil {
				failed = append(failed, err.Error())
			} else if got.Status != 200 {
				failed = append(failed, fmt.Sprint(got.Status))
			}
		}
	})
	return func() (int, []string) {
		close(ended)
		wg.Wait()
		return requests, failed
	}
}

func TestAKilledApplyIsAsBeforeOrAsAfter(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	port := h.up.Port()
	routes := func(fs ...resources.RouteFields) resources.Desired {
		var d resources.Desired
		for _, f := range fs {
			r, err := resources.NewRoute(f)
			is.NoErr(err)
			d.Routes = append(d.Routes, r)
		}
		return d
	}
	changed := fields("a", port)
	changed.MaxBodySize = "5m"
	first := routes(fields("keep", port), fields("a", port), fields("b", port))
	second := routes(fields("keep", port), changed, fields("c", port), fields("d", port))
	_, err := h.Do(t.Context(), engine.Desired(second))
	is.NoErr(err)
	after := h.Tree()
	_, err = h.Do(t.Context(), engine.Desired(first))
	is.NoErr(err)
	before := h.Tree()

	c := childOf(h)
	c.Desired = &second
	begun := time.Now()
	is.Equal(start(t, c).wait(), []string{"done"})
	whole := time.Since(begun) // the start of the process included, so the last kills come late
	stop := load(h.Lab, "keep.example.test")
	ends := map[string]int{}
	for i := range 2 * *kills {
		_, err := h.Do(t.Context(), engine.Desired(first))
		is.NoErr(err)
		is.Equal(h.Tree(), before)
		c.KillAt = 0
		if i >= *kills {
			c.KillAt = 1 + (i-*kills)*60/(*kills)
		}
		p := start(t, c)
		if c.KillAt == 0 {
			time.Sleep(whole * time.Duration(i) / time.Duration(*kills) / 2)
			p.kill()
		} else {
			p.wait()
		}
		is.NoErr(h.TestConfig(t.Context())) // nginx could start at this very moment
		_, err = h.Recover(t.Context())
		is.NoErr(err)
		switch tree := h.Tree(); {
		case tree.Diff(before) == "":
			ends["before"]++
		case tree.Diff(after) == "":
			ends["after"]++
		default:
			t.Fatalf("kill %d: neither before nor after:\n%s", i, tree.Diff(before))
		}
	}
	requests, failed := stop()
	is.Equal(len(failed), 0) // of the requests meanwhile
	is.True(ends["before"] > 0)
	t.Logf("%d kills: %d ended before, %d after, 0 otherwise; %d requests meanwhile, 0 failed", 2**kills, ends["before"], ends["after"], requests)
}

func TestNoAcknowledgedRouteIsLost(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	random := rand.New(rand.NewPCG(1, 0))
	var acknowledged []string
	for round := range 12 {
		c := childOf(h)
		c.Prefix = fmt.Sprintf("r%d", round)
		p := start(t, c)
		if p.lines.Scan() { // the first of them, however slow the machine
			acknowledged = append(acknowledged, p.lines.Text())
		}
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		acknowledged = append(acknowledged, p.kill()...)
		is.NoErr(h.TestConfig(t.Context()))
		_, err := h.Recover(t.Context())
		is.NoErr(err)
		list, err := h.Routes(t.Context())
		is.NoErr(err)
		for _, name := range acknowledged {
			i := slices.IndexFunc(list, func(s engine.RouteStatus) bool { return s.Name == name })
			if i < 0 || list[i].Status != engine.Active || list[i].Drifted {
				t.Fatalf("round %d: %s was acknowledged, and is lost", round, name)
			}
		}
	}
	is.True(len(acknowledged) > 0)
	last := acknowledged[len(acknowledged)-1]
	is.Equal(h.page(last+".example.test"), "up\n")
	t.Logf("12 rounds: %d routes acknowledged, 0 lost", len(acknowledged))
}
