package engine_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

func warned(t *testing.T, h *realHost, text string) bool {
	t.Helper()
	p, err := h.Plan(t.Context(), engine.Put(h.route("alpha")))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

func TestAnApplyThatRunsIsNotInterrupted(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	_, writes := h.Writer()
	is.True(!writes) // nobody has written yet
	halfway, goOn := make(chan bool), make(chan bool)
	var once sync.Once
	running := h.another(func(o *engine.Options) {
		o.Actor = "somebody else"
		o.OnEvent = func(ev engine.Event) {
			if ev.Type == engine.StepStarted && ev.Step.Kind == plan.TestConfig {
				once.Do(func() { close(halfway); <-goOn })
			}
		}
	})
	done := make(chan error)
	go func() {
		_, err := running.Do(t.Context(), engine.Put(h.route("beta")))
		done <- err
	}()
	<-halfway
	for _, e := range []*engine.Engine{h.Engine, running} {
		interrupted, err := e.Interrupted()
		is.NoErr(err)
		is.True(!interrupted)
		by, writes := e.Writer()
		is.True(writes)
		is.Equal(by.Operation+" by "+by.Actor, "put by somebody else")
	}
	is.True(warned(t, h, "an apply is running: pid "))
	is.True(warned(t, h, "put by somebody else"))
	is.True(!warned(t, h, "interrupted"))
	close(goOn)
	is.NoErr(<-done)
	_, writes = h.Writer()
	is.True(!writes)
	is.True(!warned(t, h, "an apply"))
}

func TestAnApplyOfAnotherProcessIsInterruptedOnlyOnceThatIsDead(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	c := childOf(h)
	c.Hold = true
	p := start(t, c)
	is.True(p.lines.Scan())
	by, writes := h.Writer()
	is.True(writes)
	is.Equal(by.PID, p.cmd.Process.Pid)
	p.kill()
	_, writes = h.Writer()
	is.True(!writes) // though it announced itself, and could not take that back

	c.Hold, c.Prefix = false, "killed"
	interrupted := false
	for c.KillAt = 4; !interrupted && c.KillAt < 30; c.KillAt++ {
		start(t, c).wait()
		var err error
		interrupted, err = h.Interrupted()
		is.NoErr(err)
	}
	is.True(interrupted)
	is.True(warned(t, h, "an earlier apply was interrupted"))
	_, err := h.Recover(t.Context())
	is.NoErr(err)
	interrupted, err = h.Interrupted()
	is.NoErr(err)
	is.True(!interrupted)
}

func TestWhoLooksForTheWriterIsInNobodysWay(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.State.LockTimeout = -1 })
	var ended atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !ended.Load() {
				h.Writer()
				if interrupted, err := h.Interrupted(); err != nil || interrupted {
					t.Errorf("interrupted: %t, %v", interrupted, err)
					return
				}
			}
		})
	}
	for range 12 {
		_, err := h.Do(t.Context(), engine.Put(h.route("alpha", withBodySize("1m"))))
		is.NoErr(err)
		_, err = h.Do(t.Context(), engine.Delete("alpha"))
		is.NoErr(err)
	}
	ended.Store(true)
	wg.Wait()
}
