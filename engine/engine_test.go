package engine_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestARouteIsPlannedAppliedAndServed(t *testing.T) {
	is, h := begin(t, enginetest.Options{})

	req := engine.Request{Operation: "apply", Routes: []resources.Route{h.route("alpha")}}
	before := h.Tree()
	p, err := h.Plan(t.Context(), req)
	is.NoErr(err)
	is.Equal(h.Tree(), before)    // planning changes nothing
	is.Equal(p.Summary.Create, 3) // the route, and the two files that routes share

	res, err := h.Apply(t.Context(), p)
	is.NoErr(err)
	is.True(res.ID != "")
	is.Equal(h.page("alpha.example.test"), "up\n")

	again, err := h.Plan(t.Context(), req)
	is.NoErr(err)
	is.True(again.Empty())               // applied twice is applied once
	is.Equal(again.Summary.Unchanged, 3) // the route, and the two files that routes share

	_, err = h.Apply(t.Context(), p)
	is.True(errors.Is(err, code(engine.StalePlan))) // the plan was made for a host that is no more

	res, err = h.Do(t.Context(), engine.Destroy())
	is.NoErr(err)
	is.Equal(res.Plan.Summary.Delete, 3) // the route, and the two files that routes share
	is.Equal(h.Tree(), before)           // nothing is left of it, shared files included
}

func TestARefusedReloadIsFoundAndUndone(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	before := h.Tree()

	// nginx -t does not bind, and nginx -s reload answers 0, though the port is taken.
	other := h.another(func(o *engine.Options) { o.Nginx.HTTPPort = h.FreePort() })
	release := h.Occupy(other.Options().Nginx.HTTPPort)
	defer release()
	_, err := other.Do(t.Context(), engine.Put(h.route("beta")))
	is.True(errors.Is(err, code(engine.NginxReloadFailed)))
	is.Equal(engine.OutcomeOf(err), engine.Undone)
	is.Equal(h.Tree(), before)
	is.Equal(h.page("alpha.example.test"), "up\n") // and the old route still answers
}

func TestABrokenConfigurationIsReportedAndLeftAlone(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	is.NoErr(h.Site("broken.conf", "server { nonsense on; }\n"))
	before := h.Tree()
	_, err := h.Do(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.NginxBroken)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	is.Equal(failure.Details["line"], 1)
	is.Equal(h.Tree(), before)
}

func TestAnUnhealthyUpstreamChangesNothing(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.up.SetHealthy(false)
	before := h.Tree()
	_, err := h.Do(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.UpstreamUnhealthy)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	is.Equal(h.Tree(), before)
}

func TestAHandEditIsSeenAsDriftAndHealed(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	put := engine.Put(h.route("alpha"))
	_, err := h.Do(t.Context(), put)
	is.NoErr(err)
	before := h.Tree()
	appendTo(t, h.SitesAvailable+"/fpai-alpha.conf", "# by hand\n")
	p, err := h.Plan(t.Context(), put)
	is.NoErr(err)
	is.Equal(p.Summary.Drifted, 1)
	is.Equal(p.Summary.Update, 1)
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)
	is.Equal(h.Tree(), before)
}

func TestConflictsNameTheOtherFile(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	is.NoErr(h.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name alpha.example.test; }\n", h.HTTPPort)))
	_, err := h.Plan(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.DomainConflict)))
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	is.Equal(failure.Details["file"], h.SitesEnabled+"/hand.conf:1")

	// nginx reads the leading dot as "the domain and all below it", and prefers an exact name for those below.
	is.NoErr(h.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name .example.test; }\n", h.HTTPPort)))
	_, err = h.Plan(t.Context(), engine.Put(h.route("apex", func(f *resources.RouteFields) { f.Domain = "example.test" })))
	is.True(errors.Is(err, code(engine.DomainConflict)))
	_, err = h.Plan(t.Context(), engine.Put(h.route("alpha")))
	is.NoErr(err)

	is.NoErr(h.Site("fpai-beta.conf", "# mine\n"))
	_, err = h.Plan(t.Context(), engine.Put(h.route("beta")))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
}

// With two default servers nginx refuses its configuration: the plan that takes the program's back mends it.
func TestTheDefaultServerGivesWayToOneOfTheHost(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	is.NoErr(h.Site("zz.conf", fmt.Sprintf("server { listen %d default_server; listen [::]:%d default_server; return 200; }\n", h.HTTPPort, h.HTTPPort)))
	is.Equal(h.TestConfig(t.Context()).(*engine.Error).Code, engine.NginxBroken)
	h.put(h.route("alpha"))
	is.NoErr(h.TestConfig(t.Context()))
}

func TestARollbackRestoresEveryByte(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	before := h.Tree()
	_, err := h.Do(t.Context(), engine.Request{Operation: "apply", Routes: []resources.Route{
		h.route("alpha", withAliases("a.example.test")),
		h.route("beta"),
	}})
	is.NoErr(err)
	history, err := h.History()
	is.NoErr(err)
	is.Equal(len(history), 2)
	_, err = h.Do(t.Context(), engine.Rollback(history[0].ID))
	is.NoErr(err)
	is.Equal(h.Tree(), before)
}

func TestADirectoryWithARoutesNameHidesNothingElse(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	is.NoErr(os.Mkdir(h.SitesAvailable+"/fpai-beta.conf", 0o755))
	routes, err := h.Routes(t.Context())
	is.NoErr(err)
	is.Equal(len(routes), 1)
	_, err = h.Plan(t.Context(), engine.Put(h.route("beta")))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
}

func TestTheLastReloadIsKnownToAProcessThatDidNotMakeIt(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	before := time.Now()
	_, err := h.another().Do(t.Context(), engine.Put(h.route("alpha")))
	is.NoErr(err)
	at := h.another().Nginx(t.Context()).LastReload
	is.True(at.After(before.Add(-2*time.Second)) && at.Before(time.Now().Add(2*time.Second)))
}
