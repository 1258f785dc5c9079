package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

// open returns an engine for a lab.
func open(t testing.TB, lab *enginetest.Lab, change ...func(*engine.Options)) *engine.Engine {
	t.Helper()
	o := lab.EngineOptions()
	o.Actor = "test"
	for _, f := range change {
		f(&o)
	}
	e, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// route returns an HTTP-only route of that name under example.test.
func route(t testing.TB, name string, port int, change ...func(*resources.RouteFields)) resources.Route {
	t.Helper()
	f := resources.RouteFields{DropletName: name, Domain: name + ".example.test", UpstreamHost: "127.0.0.1", UpstreamPort: port, EnableSSL: new(false)}
	for _, g := range change {
		g(&f)
	}
	r, err := resources.NewRoute(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func code(c engine.Code) error { return &engine.Error{Code: c} }

func TestARouteIsPlannedAppliedAndServed(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)

	req := engine.Request{Operation: "apply", Routes: []resources.Route{route(t, "alpha", up.Port())}}
	before := lab.Tree()
	p, err := e.Plan(ctx, req)
	is.NoErr(err)
	is.Equal(lab.Tree(), before)  // planning changes nothing
	is.Equal(p.Summary.Create, 3) // the route, and the two files that routes share

	res, err := e.Apply(ctx, p)
	is.NoErr(err)
	is.True(res.ID != "")
	got, err := lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(string(got.Body), "alpha\n")

	again, err := e.Plan(ctx, req)
	is.NoErr(err)
	is.True(again.Empty())               // applied twice is applied once
	is.Equal(again.Summary.Unchanged, 3) // the route, and the two files that routes share

	_, err = e.Apply(ctx, p)
	is.True(errors.Is(err, code(engine.StalePlan))) // the plan was made for a host that is no more

	res, err = e.Do(ctx, engine.Destroy())
	is.NoErr(err)
	is.Equal(res.Plan.Summary.Delete, 3) // the route, and the two files that routes share
	is.Equal(lab.Tree(), before)         // nothing is left of it, shared files included
}

func TestARefusedReloadIsFoundAndUndone(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	before := lab.Tree()

	// nginx -t does not bind, and nginx -s reload answers 0, though the port is taken.
	other := open(t, lab, func(o *engine.Options) { o.Nginx.HTTPPort = lab.FreePort() })
	release := lab.Occupy(other.Options().Nginx.HTTPPort)
	defer release()
	_, err = other.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.True(errors.Is(err, code(engine.NginxReloadFailed)))
	is.Equal(engine.OutcomeOf(err), engine.Undone)
	is.Equal(lab.Tree(), before)
	got, err := lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(string(got.Body), "alpha\n") // and the old route still answers
}

func TestABrokenConfigurationIsReportedAndLeftAlone(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	is.NoErr(lab.Site("broken.conf", "server { nonsense on; }\n"))
	before := lab.Tree()
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", lab.Upstream("alpha").Port())))
	is.True(errors.Is(err, code(engine.NginxBroken)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	is.Equal(failure.Details["line"], 1)
	is.Equal(lab.Tree(), before)
}

func TestAnUnhealthyUpstreamChangesNothing(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	up.SetHealthy(false)
	e := open(t, lab)
	before := lab.Tree()
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.True(errors.Is(err, code(engine.UpstreamUnhealthy)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	is.Equal(lab.Tree(), before)
}

func TestAHandEditIsSeenAsDriftAndHealed(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	put := engine.Put(route(t, "alpha", up.Port()))
	_, err := e.Do(ctx, put)
	is.NoErr(err)
	before := lab.Tree()
	appendTo(t, lab.SitesAvailable+"/fpai-alpha.conf", "# by hand\n")
	p, err := e.Plan(ctx, put)
	is.NoErr(err)
	is.Equal(p.Summary.Drifted, 1)
	is.Equal(p.Summary.Update, 1)
	_, err = e.Apply(ctx, p)
	is.NoErr(err)
	is.Equal(lab.Tree(), before)
}

func TestConflictsNameTheOtherFile(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	is.NoErr(lab.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name alpha.example.test; }\n", lab.HTTPPort)))
	_, err := e.Plan(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.True(errors.Is(err, code(engine.DomainConflict)))
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	is.Equal(failure.Details["file"], lab.SitesEnabled+"/hand.conf:1")

	// nginx reads the leading dot as "the domain and all below it", and prefers an exact name for those below.
	is.NoErr(lab.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name .example.test; }\n", lab.HTTPPort)))
	_, err = e.Plan(ctx, engine.Put(route(t, "apex", up.Port(), func(f *resources.RouteFields) { f.Domain = "example.test" })))
	is.True(errors.Is(err, code(engine.DomainConflict)))
	_, err = e.Plan(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)

	is.NoErr(lab.Site("fpai-beta.conf", "# mine\n"))
	_, err = e.Plan(ctx, engine.Put(route(t, "beta", up.Port())))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
}

// With two default servers nginx refuses its configuration: the plan that takes the program's back mends it.
func TestTheDefaultServerGivesWayToOneOfTheHost(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	is.NoErr(lab.Site("zz.conf", fmt.Sprintf("server { listen %d default_server; listen [::]:%d default_server; return 200; }\n", lab.HTTPPort, lab.HTTPPort)))
	is.Equal(e.TestConfig(ctx).(*engine.Error).Code, engine.NginxBroken)
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	is.NoErr(e.TestConfig(ctx))
}

func TestARollbackRestoresEveryByte(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Request{Operation: "apply", Routes: []resources.Route{
		route(t, "alpha", up.Port(), func(f *resources.RouteFields) { f.Aliases = []string{"a.example.test"} }),
		route(t, "beta", up.Port()),
	}})
	is.NoErr(err)
	history, err := e.History()
	is.NoErr(err)
	is.Equal(len(history), 2)
	_, err = e.Do(ctx, engine.Rollback(history[0].ID))
	is.NoErr(err)
	is.Equal(lab.Tree(), before)
}

func TestADirectoryWithARoutesNameHidesNothingElse(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("alpha")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	is.NoErr(os.Mkdir(lab.SitesAvailable+"/fpai-beta.conf", 0o755))
	routes, err := e.Routes(ctx)
	is.NoErr(err)
	is.Equal(len(routes), 1)
	_, err = e.Plan(ctx, engine.Put(route(t, "beta", up.Port())))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
}

func TestTheLastReloadIsKnownToAProcessThatDidNotMakeIt(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	before := time.Now()
	_, err := open(t, lab).Do(ctx, engine.Put(route(t, "alpha", lab.Upstream("alpha").Port())))
	is.NoErr(err)
	at := open(t, lab).Nginx(ctx).LastReload
	is.True(at.After(before.Add(-2*time.Second)) && at.Before(time.Now().Add(2*time.Second)))
}
