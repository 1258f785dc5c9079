package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

// together runs all requests at the same time and returns each one's own result and error.
func together(e *engine.Engine, reqs []engine.Request) ([]*engine.Result, []error) {
	results, errs := make([]*engine.Result, len(reqs)), make([]error, len(reqs))
	var wg sync.WaitGroup
	for i, req := range reqs {
		wg.Go(func() { results[i], errs[i] = e.Do(context.Background(), req) })
	}
	wg.Wait()
	return results, errs
}

func TestChangesThatComeTogetherAreMadeTogether(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	var mu sync.Mutex
	reloads := 0
	e := open(t, lab, func(o *engine.Options) {
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
		reqs = append(reqs, engine.Put(route(t, fmt.Sprintf("r%d", i), up.Port())))
	}
	results, errs := together(e, reqs)
	for i := range reqs {
		is.NoErr(errs[i])
		own := slices.DeleteFunc(results[i].Plan.Changes, func(c plan.Change) bool { return strings.HasPrefix(c.Address, "shared.") })
		is.Equal(len(own), 1) // its own, and nobody else's
		is.Equal(own[0].Address, reqs[i].Routes[0].Address())
		got, err := lab.Get(reqs[i].Routes[0].Domain(), "/name")
		is.NoErr(err)
		is.Equal(string(got.Body), "up\n")
	}
	is.True(reloads < 10) // 40 changes, and a handful of reloads
}

func TestAmongChangesThatComeTogetherOnlyTheGuiltyFail(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	up, down := lab.Upstream("up"), lab.Upstream("down")
	down.SetHealthy(false)
	e := open(t, lab)
	is.NoErr(lab.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name r7.example.test; }\n", lab.HTTPPort)))
	var reqs []engine.Request
	for i := range 20 {
		port := up.Port()
		if i == 3 {
			port = down.Port()
		}
		reqs = append(reqs, engine.Put(route(t, fmt.Sprintf("r%d", i), port)))
	}
	_, errs := together(e, reqs)
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
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	e := open(t, lab)
	clash := clashingUpstream(t, lab, route(t, "r5", up.Port()))
	is.NoErr(lab.Site("zz-hand.conf", clash)) // included after the managed files: nginx names this one
	var reqs []engine.Request
	for i := range 12 {
		reqs = append(reqs, engine.Put(route(t, fmt.Sprintf("r%d", i), up.Port())))
	}
	_, errs := together(e, reqs)
	for i, err := range errs {
		if i == 5 {
			is.True(errors.Is(err, code(engine.NginxTestFailed)))
			is.Equal(engine.OutcomeOf(err), engine.Undone)
			continue
		}
		is.NoErr(err)
		got, err := lab.Get(fmt.Sprintf("r%d.example.test", i), "/name")
		is.NoErr(err)
		is.Equal(string(got.Body), "up\n")
	}
	_, err := os.Lstat(lab.SitesAvailable + "/fpai-r5.conf")
	is.True(errors.Is(err, os.ErrNotExist))
}

// clashingUpstream returns a configuration with the same upstream name as the route's.
func clashingUpstream(t *testing.T, lab *enginetest.Lab, r resources.Route) string {
	t.Helper()
	for _, dir := range []string{t.TempDir()} {
		other := open(t, lab, func(o *engine.Options) { o.State.Dir = dir })
		p, err := other.Plan(context.Background(), engine.Put(r))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Steps {
			for line := range strings.Lines(s.Diff) {
				if name, ok := strings.CutPrefix(line, "+upstream "); ok {
					return "upstream " + strings.Fields(name)[0] + " { server 127.0.0.1:9; }\n"
				}
			}
		}
	}
	t.Fatal("the route has no upstream block")
	return ""
}
