package engine_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

var (
	soak     = flag.Duration("soak", time.Minute, "how long changes are made among disturbances")
	soakSeed = flag.Uint64("soak-seed", uint64(time.Now().UnixNano()), "of the changes and disturbances")
)

// TestNoSuccessIsToldThatIsNotTrue makes changes while somebody else reloads, restarts and upgrades nginx, edits files by hand
// and removes them. After each success a visitor gets what it says, unless it has been disturbed since; a failure has somebody
// to blame; and in the end one apply puts everything right.
func TestNoSuccessIsToldThatIsNotTrue(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	daemonise(t, lab)
	w := &world{t: t, lab: lab, eng: open(t, lab), random: rand.New(rand.NewPCG(*soakSeed, 1)), ports: map[string]int{}, failures: map[engine.Code]int{}}
	w.ups = [2]int{lab.Upstream("a").Port(), lab.Upstream("b").Port()}
	ctx, stop := context.WithTimeout(t.Context(), *soak)
	defer stop()
	disturbed := make(chan struct{})
	go func() { defer close(disturbed); w.disturb(ctx) }()
	for ctx.Err() == nil {
		w.change(t.Context())
	}
	<-disturbed
	t.Logf("soak-seed %d; %d changes: %d seen to be true, %d disturbed since, %d failed %v among %d disturbances", *soakSeed, w.changes, w.seen, w.unseen, w.failed, w.failures, w.disturbances.Load())

	// Nothing is stuck.
	var all []resources.Route
	for name, port := range w.ports {
		all = append(all, route(t, name, port))
	}
	_, err := w.eng.Do(t.Context(), engine.Desired(resources.Desired{Routes: all}))
	is.NoErr(err)
	for name, port := range w.ports {
		is.Equal(w.answer(name), w.nameOf(port))
	}
	p, err := open(t, lab).Plan(t.Context(), engine.Desired(resources.Desired{Routes: all}))
	is.NoErr(err)
	is.True(p.Empty())
	is.True(w.seen > 0 && w.disturbances.Load() > 0)
}

// A world is a host with somebody else on it.
type world struct {
	t      *testing.T
	lab    *enginetest.Lab
	eng    *engine.Engine
	random *rand.Rand
	ups    [2]int
	ports  map[string]int // what each route leads to, after the last success

	told  sync.Mutex
	trail []string // what was done last, by whomever

	quiet        sync.Mutex   // held while somebody disturbs, and while a visitor looks
	disturbances atomic.Int64 // odd while one is on its way, doubled
	graver       atomic.Int64 // the same, of those that may take back what the engine has seen before it has told it
	changes      int
	seen, unseen int
	failed       int
	failures     map[engine.Code]int
}

// note adds to the trail.
func (w *world) note(format string, args ...any) {
	w.told.Lock()
	defer w.told.Unlock()
	w.trail = append(w.trail[max(0, len(w.trail)-40):], time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

func (w *world) nameOf(port int) string {
	if port == w.ups[0] {
		return "a\n"
	}
	return "b\n"
}

func (w *world) answer(name string) string {
	res, err := w.lab.Get(name+".example.test", "/name")
	if err != nil {
		return err.Error()
	}
	return string(res.Body)
}

// change makes one change, and holds what it says against what a visitor gets.
func (w *world) change(ctx context.Context) {
	name, port := fmt.Sprintf("r%d", w.random.IntN(6)), w.ups[w.random.IntN(2)]
	req := engine.Put(route(w.t, name, port))
	_, there := w.ports[name]
	deletes := there && w.random.IntN(5) == 0
	if deletes {
		req = engine.Delete(name)
	}
	before, graver := w.disturbances.Load(), w.graver.Load()
	w.note("%s %s to %q begins, master %d", req.Operation, name, w.nameOf(port), w.lab.MasterPID())
	res, err := w.eng.Do(ctx, req)
	after := w.disturbances.Load()
	if err != nil {
		w.note("failed: %s", engine.CodeOf(err))
	} else {
		w.note("done by master %d: %s", w.lab.MasterPID(), kinds(res.Plan))
	}
	w.changes++
	if err != nil {
		w.failed++
		w.failures[engine.CodeOf(err)]++
		if before == after && before%2 == 0 && !w.blamed(err) {
			w.t.Errorf("nobody disturbed it, and it failed: %v", err)
		}
		time.Sleep(10 * time.Millisecond) // nginx may be down for a while
		return
	}
	if deletes {
		delete(w.ports, name)
		return
	}
	w.ports[name] = port
	w.quiet.Lock()
	defer w.quiet.Unlock()
	if after%2 == 1 || w.disturbances.Load() != after || graver%2 == 1 || w.graver.Load() != graver {
		w.unseen++
		return
	}
	w.seen++
	if got := w.answer(name); got != w.nameOf(port) {
		w.t.Errorf("%s is said to lead to %q, and a visitor gets %q:\n%s", name, w.nameOf(port), got, strings.Join(w.trail, "\n"))
	}
}

// blamed reports whether an error tells of what an earlier disturbance has left.
func (w *world) blamed(err error) bool {
	for _, c := range []engine.Code{engine.NginxBroken, engine.NginxNotRunning, engine.StalePlan, engine.ProxyNotFound} {
		if errors.Is(err, code(c)) {
			return true
		}
	}
	return false
}

// disturb does to the host what others do, until ctx ends; then nginx runs, alone.
func (w *world) disturb(ctx context.Context) {
	r := rand.New(rand.NewPCG(*soakSeed, 2))
	deeds := []func(){w.restart, func() { w.upgrade(r) }, func() { w.edit(r) }, func() { w.remove(r) }}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(20+r.IntN(300)) * time.Millisecond):
		}
		w.quiet.Lock()
		w.disturbances.Add(1)
		if w.lab.MasterPID() == 0 {
			w.note("a restart, as no master runs")
			w.gravely(w.restart) // somebody notices
		} else if r.IntN(2) == 0 {
			w.note("a HUP to %d", w.lab.MasterPID())
			w.hup()
		} else {
			deed := r.IntN(len(deeds))
			w.note("deed %d to %d", deed, w.lab.MasterPID())
			w.gravely(deeds[deed])
		}
		w.disturbances.Add(1)
		w.quiet.Unlock()
	}
}

func (w *world) gravely(deed func()) {
	w.graver.Add(1)
	defer w.graver.Add(1)
	deed()
}

// signal tells the master, if there is one: pid 0 would be every process of this test's group.
func (w *world) signal(sig syscall.Signal) (pid int) {
	if pid = w.lab.MasterPID(); pid > 0 {
		_ = syscall.Kill(pid, sig)
	}
	return pid
}

func (w *world) hup() { w.signal(syscall.SIGHUP) }

func (w *world) restart() {
	if pid := w.signal(syscall.SIGTERM); pid > 0 {
		enginetest.Until(w.t, 10*time.Second, "the old master is gone", func() bool { return syscall.Kill(pid, 0) != nil })
	}
	_ = exec.Command(w.lab.NginxBin, "-c", w.lab.NginxConf).Run() // it may refuse, with a file gone: the next restart tries again
}

// upgrade begins an upgrade of the binary, and finishes it or backs out.
func (w *world) upgrade(r *rand.Rand) {
	old := w.signal(syscall.SIGUSR2)
	if old == 0 {
		return
	}
	deadline := time.Now().Add(2 * time.Second)
	for w.lab.MasterPID() == old || w.lab.MasterPID() == 0 {
		if time.Now().After(deadline) {
			return // the new one refuses the configuration, or the old one would not begin
		}
		time.Sleep(5 * time.Millisecond)
	}
	fresh := w.lab.MasterPID()
	goes, stays := old, fresh
	if r.IntN(2) == 0 {
		goes, stays = fresh, old
	}
	_ = syscall.Kill(goes, syscall.SIGQUIT)
	enginetest.Until(w.t, 10*time.Second, "one master is left", func() bool { return syscall.Kill(goes, 0) != nil && w.lab.MasterPID() == stays })
}

func (w *world) edit(r *rand.Rand) {
	if name := w.file(r, w.lab.SitesAvailable); name != "" {
		if f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err == nil {
			_, _ = f.WriteString("# by hand\n")
			_ = f.Close()
		}
	}
}

func (w *world) remove(r *rand.Rand) {
	if name := w.file(r, w.lab.SitesEnabled); name != "" {
		_ = os.Remove(name)
	}
}

func (w *world) file(r *rand.Rand, dir string) string {
	names, _ := filepath.Glob(dir + "/fpai-r*.conf")
	if len(names) == 0 {
		return ""
	}
	return names[r.IntN(len(names))]
}
