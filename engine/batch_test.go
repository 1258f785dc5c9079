package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// together runs all requests at the same time and returns each one's own result and error.
func (h *realHost) together(reqs []engine.Request) ([]*engine.Result, []error) {
	results, errs := make([]*engine.Result, len(reqs)), make([]error, len(reqs))
	var wg sync.WaitGroup
	for i, req := range reqs {
		wg.Go(func() { results[i], errs[i] = h.Do(h.t.Context(), req) })
	}
	wg.Wait()
	return results, errs
}

func TestChangesThatComeTogetherAreMadeTogether(t *testing.T) {
	var mu sync.Mutex
	reloads := 0
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) {
		o.OnEvent = func(ev engine.Event) {
			mu.Lock()
			defer mu.Unlock()
			if ev.Type == engine.StepDone && ev.Step.Kind == "reload" {
				reloads++
			}
		}
	})
	var reqs []engine.Request
	for i := range 40 {
		reqs = append(reqs, engine.Put(h.route(fmt.Sprintf("r%d", i))))
	}
	results, errs := h.together(reqs)
	for i := range reqs {
		is.NoErr(errs[i])
		own := slices.DeleteFunc(results[i].Plan.Changes, func(c plan.Change) bool { return strings.HasPrefix(c.Address, "shared.") })
		is.Equal(len(own), 1) // its own, and nobody else's
		is.Equal(own[0].Address, reqs[i].Routes[0].Address())
		is.Equal(h.page(reqs[i].Routes[0].Domain()), "up\n")
	}
	is.True(reloads < 10) // 40 changes, and a handful of reloads
}

func TestAmongChangesThatComeTogetherOnlyTheGuiltyFail(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	down := h.Upstream("down")
	down.SetHealthy(false)
	is.NoErr(h.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name r7.example.test; }\n", h.HTTPPort)))
	var reqs []engine.Request
	for i := range 20 {
		port := h.up.Port()
		if i == 3 {
			port = down.Port()
		}
		reqs = append(reqs, engine.Put(route(t, fmt.Sprintf("r%d", i), port)))
	}
	_, errs := h.together(reqs)
	for i, err := range errs {
		switch i {
		case 3:
			is.True(errors.Is(err, code(engine.UpstreamUnhealthy)))
		case 7:
			is.True(errors.Is(err, code(engine.DomainConflict)))
		default:
			is.NoErr(err)
		}
	}
}

// A vhost that only the whole of nginx's configuration can refuse: its upstream's name is taken by a file that nobody
// manages, so nginx names the managed file, or the other, depending on the order.
func TestARouteThatNginxRefusesFailsAloneAndTheOthersLand(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	clash := h.clashingUpstream(h.route("r5"))
	is.NoErr(h.Site("zz-hand.conf", clash)) // included after the managed files: nginx names this one
	var reqs []engine.Request
	for i := range 12 {
		reqs = append(reqs, engine.Put(h.route(fmt.Sprintf("r%d", i))))
	}
	_, errs := h.together(reqs)
	for i, err := range errs {
		if i == 5 {
			is.True(errors.Is(err, code(engine.NginxTestFailed)))
			is.Equal(engine.OutcomeOf(err), engine.Undone)
			continue
		}
		is.NoErr(err)
		is.Equal(h.page(fmt.Sprintf("r%d.example.test", i)), "up\n")
	}
	_, err := os.Lstat(h.SitesAvailable + "/fpai-r5.conf")
	is.True(errors.Is(err, os.ErrNotExist))
}

// clashingUpstream returns a configuration with the same upstream name as the route's.
func (h *realHost) clashingUpstream(r resources.Route) string {
	h.t.Helper()
	p, err := h.Plan(h.t.Context(), engine.Put(r))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range p.Steps {
		for line := range strings.Lines(s.Diff) {
			if name, ok := strings.CutPrefix(line, "+upstream "); ok {
				return "upstream " + strings.Fields(name)[0] + " { server 127.0.0.1:9; }\n"
			}
		}
	}
	h.t.Fatal("the route has no upstream block")
	return ""
}

func TestWhoGivesUpWhileOthersAreBeforeItHasChangedNothing(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	var once sync.Once
	var begun atomic.Bool
	slow := engine.WithEvents(t.Context(), func(ev engine.Event) {
		if ev.Type == engine.StepStarted && ev.Step.Kind == plan.WriteFile {
			once.Do(func() { begun.Store(true); time.Sleep(500 * time.Millisecond) }) // so that the first change takes that long
		}
	})
	var first sync.WaitGroup
	var firstErr error
	first.Go(func() { _, firstErr = h.Do(slow, engine.Put(h.route("slow"))) })
	enginetest.Until(t, 10*time.Second, "the first change is under way", begun.Load)

	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
	_, err := h.Do(ctx, engine.Put(h.route("impatient")))
	is.True(errors.Is(err, code(engine.Locked)))
	is.True(errors.Is(err, enough))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)

	first.Wait()
	is.NoErr(firstErr) // and it harms nobody
	h.put(h.route("next"))
	routes, err := h.Routes(t.Context())
	is.NoErr(err)
	is.Equal(len(routes), 2)
}
