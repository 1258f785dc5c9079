package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// askedBy are options under which nginx and the gate ask a DNS server of the test's own, and believe the lab's CA.
func askedBy(names *enginetest.Names) func(*engine.Options) {
	return func(o *engine.Options) {
		o.Nginx.Resolvers = []netip.AddrPort{names.Server()}
		o.Upstreams.CheckTimeout = 2 * time.Second
	}
}

func to(host string, port int) func(*resources.RouteFields) {
	return func(f *resources.RouteFields) { f.UpstreamHost, f.UpstreamPort = host, port }
}

func overTLS(f *resources.RouteFields) { f.UpstreamScheme = "https" }

func TestWhatPassesTheGateIsServedAndWhatDoesNotWouldNotBe(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names))
	h.Engine = h.another(askedBy(names), func(o *engine.Options) { o.Upstreams.CAFile = h.CABundle })
	names.Set("app.internal", "127.0.0.1")
	names.Alias("alias.internal", "app.internal")
	names.Set("half.internal", "127.0.0.1", "127.0.0.7")
	names.Set("nowhere.internal")
	names.Fail("broken.internal", 2)
	known := h.UpstreamTLS("known", "app.internal")
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(stranger.Close)
	strangers := stranger.Listener.Addr().(*net.TCPAddr).Port
	names.FailIPv6("four.internal", "127.0.0.1", 2)
	names.FailIPv6("fournx.internal", "127.0.0.1", 3)
	six, err := net.Listen("tcp", "[::1]:0")
	is.NoErr(err)
	t.Cleanup(func() { six.Close() })
	go http.Serve(six, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	names.Set("six.internal", "::1")
	sixth := six.Addr().(*net.TCPAddr).Port
	cases := []struct {
		name   string
		change []func(*resources.RouteFields)
		served bool
		reason string
	}{
		{"address", at(to("127.0.0.1", h.up.Port())), true, ""},
		{"localhost", at(to("localhost", h.up.Port())), true, ""},
		{"dns", at(to("app.internal", h.up.Port())), true, ""},
		{"alias", at(to("alias.internal", h.up.Port())), true, ""},
		{"half", at(to("half.internal", h.up.Port())), true, ""},
		{"six", at(to("six.internal", sixth)), true, ""},
		{"sixaddress", at(to("::1", sixth)), true, ""},
		{"sixlocal", at(to("localhost", sixth)), true, ""},
		{"four", at(to("four.internal", h.up.Port())), false, "SERVFAIL"},
		{"fournx", at(to("fournx.internal", h.up.Port())), false, "NXDOMAIN"},
		{"hosts", at(to(hostsName(t), h.up.Port())), false, "/etc/hosts"},
		{"nobody", at(to("nobody.internal", h.up.Port())), false, "make a DNS record"},
		{"nowhere", at(to("nowhere.internal", h.up.Port())), false, "has no address"},
		{"broken", at(to("broken.internal", h.up.Port())), false, "SERVFAIL"},
		{"refusing", at(to("app.internal", h.FreePort())), false, "refuses connections"},
		{"trusted", at(to("app.internal", known.Port()), overTLS), true, ""},
		{"othername", at(to("alias.internal", known.Port()), overTLS), false, "is not for alias.internal"},
		{"stranger", at(to("app.internal", strangers), overTLS), false, "no CA in " + h.CABundle},
		{"strangeraddress", at(to("127.0.0.1", strangers), overTLS), true, ""},
		{"strangerlocal", at(to("localhost", strangers), overTLS), true, ""},
	}
	for _, tc := range cases {
		_, err := h.Do(t.Context(), engine.Put(route(t, tc.name, 1, tc.change...)))
		if tc.served {
			is.NoErr(err)
		} else {
			is.True(errors.Is(err, code(engine.UpstreamUnhealthy))) // refused
			is.Equal(engine.OutcomeOf(err), engine.Untouched)
			is.True(strings.Contains(fmt.Sprint(reason(err)), tc.reason)) // the reason says why
			h.put(route(t, tc.name, 1, append(tc.change, unchecked)...))  // so that nginx can be asked
		}
		got, err := h.Get(tc.name+".example.test", "/")
		is.NoErr(err)
		want := http.StatusOK
		if !tc.served {
			want = http.StatusBadGateway
		}
		is.Equal(got.Status, want) // nginx agrees with the gate
	}
}

func at(change ...func(*resources.RouteFields)) []func(*resources.RouteFields) { return change }

// hostsName returns a name that this host's /etc/hosts has.
func hostsName(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if i := slices.IndexFunc(fields, func(f string) bool { return f != "localhost" && net.ParseIP(f) == nil }); i > 0 {
			return fields[i]
		}
	}
	t.Skip("/etc/hosts has no name but localhost")
	return ""
}

func TestAnAddressThatNginxPassesOverIsWarnedOf(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names))
	names.Set("half.internal", "127.0.0.1", "127.0.0.7")
	var warnings []string
	ctx := engine.WithEvents(t.Context(), func(ev engine.Event) {
		if ev.Type == engine.Warning {
			warnings = append(warnings, ev.Message)
		}
	})
	_, err := h.Do(ctx, engine.Put(route(t, "half", 1, to("half.internal", h.up.Port()))))
	is.NoErr(err)
	is.Equal(len(warnings), 1)
	is.True(strings.Contains(warnings[0], fmt.Sprintf("127.0.0.7:%d refuses connections", h.up.Port())))
}

func TestWhereNoRouteMayPointNoneDoesHoweverTheUpstreamIsWritten(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names), func(o *engine.Options) {
		o.Upstreams.Deny = []netip.Prefix{netip.MustParsePrefix("::ffff:169.254.0.0/112"), netip.MustParsePrefix("127.0.0.0/8")}
	})
	names.Set("metadata.internal", "192.0.2.1", "169.254.169.254")
	names.Set("translated.internal", "64:ff9b::a9fe:a9fe")
	names.Set("nobody.internal", "0.0.0.0")
	before := h.Tree()
	for _, host := range []string{
		"169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1",
		"localhost", "metadata.internal", "translated.internal", "nobody.internal",
	} {
		for _, change := range [][]func(*resources.RouteFields){at(unchecked), at(), at(unchecked, disabled)} {
			r := route(t, "bad", 1, append(change, to(host, 9))...)
			_, planErr := h.Plan(t.Context(), engine.Put(r))
			_, doErr := h.Do(t.Context(), engine.Put(r))
			for _, err := range []error{planErr, doErr} {
				is.True(errors.Is(err, code(engine.InvalidInput))) // refused
				is.Equal(detail(err, "field"), "upstream_host")
			}
		}
	}
	is.Equal(h.Tree().Diff(before), "") // nothing was written
}

func disabled(f *resources.RouteFields) { f.Enabled = new(false) }

func detail(err error, name string) any {
	var e *engine.Error
	errors.As(err, &e)
	return e.Details[name]
}

func TestANameIsJudgedAgainWhenAPlanIsApplied(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names))
	names.Set("app.internal", "127.0.0.1")
	p, err := h.Plan(t.Context(), engine.Put(route(t, "app", 1, to("app.internal", h.up.Port()))))
	is.NoErr(err)
	names.Set("app.internal", "169.254.169.254")
	before := h.Tree()
	_, err = h.Apply(t.Context(), p)
	is.True(errors.Is(err, code(engine.InvalidInput)))
	is.Equal(detail(err, "field"), "upstream_host")
	is.Equal(h.Tree().Diff(before), "")
	names.Set("app.internal", "127.0.0.1")
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)
	is.Equal(h.page("app.example.test"), "up\n")
}

func TestANameThatCannotBeLookedUpIsWarnedOf(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names))
	r := route(t, "later", 1, to("later.internal", h.up.Port()), unchecked)
	res := h.put(r)
	is.Equal(len(res.Plan.Warnings), 1)
	is.True(strings.Contains(res.Plan.Warnings[0], "does not know later.internal"))
	asked := names.Asked()
	h.put(r)
	is.Equal(names.Asked(), asked) // it stays as it is: nobody waits for DNS
}

func TestARollbackBringsBackNoRouteThatMayNotBe(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(route(t, "old", h.up.Port()))
	gone, err := h.Do(t.Context(), engine.Delete("old"))
	is.NoErr(err)
	strict := h.another(func(o *engine.Options) { o.Upstreams.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	_, err = strict.Do(t.Context(), engine.Rollback(gone.ID))
	is.True(errors.Is(err, code(engine.InvalidInput)))
	_, err = h.Do(t.Context(), engine.Rollback(gone.ID))
	is.NoErr(err)
}

func TestARouteThatMayNotBeAnyMoreStopsNobodyElse(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	old := route(t, "old", h.up.Port())
	h.put(old)
	strict := h.another(func(o *engine.Options) { o.Upstreams.Deny = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	drift, err := strict.Drift(t.Context())
	is.NoErr(err)
	is.Equal(len(drift), 0)
	_, err = strict.Do(t.Context(), engine.Put(route(t, "other", 9, to("192.0.2.1", 9), unchecked)))
	is.NoErr(err)
	_, err = strict.Do(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{old}}))
	is.True(errors.Is(err, code(engine.InvalidInput))) // who asks for it is told
}

func TestARouteToNginxItselfIsRefused(t *testing.T) {
	names := enginetest.StartNames(t)
	is, h := begin(t, enginetest.Options{}, askedBy(names))
	names.Set("me.internal", "127.0.0.1")
	hosts := []string{"localhost", "127.0.0.1", "127.9.9.9", "::1", "me.internal"}
	list, err := net.InterfaceAddrs()
	is.NoErr(err)
	for _, a := range list {
		if ip := a.(*net.IPNet).IP; !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			hosts = append(hosts, ip.String())
		}
	}
	before := h.Tree()
	for _, host := range hosts {
		for _, port := range []int{h.HTTPPort, h.HTTPSPort} {
			_, err := h.Do(t.Context(), engine.Put(route(t, "loop", 1, to(host, port), unchecked)))
			is.True(errors.Is(err, code(engine.InvalidInput))) // refused
			is.Equal(detail(err, "field"), "upstream_port")
			is.True(strings.Contains(err.Error(), "round in a loop"))
		}
	}
	is.Equal(h.Tree().Diff(before), "")
	h.put(route(t, "elsewhere", 1, to("192.0.2.1", h.HTTPPort), unchecked)) // another host's port of that number
}

func TestAnUpstreamThatDoesNotAnswerKeepsNobodyElseWaiting(t *testing.T) {
	names := enginetest.StartNames(t)
	slowly := func(o *engine.Options) { o.Upstreams.CheckTimeout = 5 * time.Second }
	is, h := begin(t, enginetest.Options{}, askedBy(names), slowly)
	names.Silence("silent.internal")
	silent := h.Upstream("silent")
	p, err := h.Plan(t.Context(), engine.Put(route(t, "planned", silent.Port())))
	is.NoErr(err)
	silent.SetDelay(20 * time.Second)

	var slow sync.WaitGroup
	errs := make([]error, 3)
	slow.Go(func() { _, errs[0] = h.Do(t.Context(), engine.Put(route(t, "silent", silent.Port()))) })
	slow.Go(func() { _, errs[1] = h.Apply(t.Context(), p) })
	slow.Go(func() {
		_, errs[2] = h.Do(t.Context(), engine.Put(route(t, "unnamed", 1, to("silent.internal", silent.Port()))))
	})
	enginetest.Until(t, 10*time.Second, "they wait for their upstreams", func() bool { return silent.Requests() >= 1 && names.Asked() > 0 })

	begun := time.Now()
	h.put(h.route("quick"))
	other := h.another(func(o *engine.Options) { o.State.LockTimeout = -1 })
	_, err = other.Do(t.Context(), engine.Put(h.route("quicker")))
	is.NoErr(err) // in another process as well
	is.True(time.Since(begun) < 4*time.Second)

	slow.Wait()
	for i, err := range errs {
		is.Equal(engine.OutcomeOf(err), engine.Untouched)
		is.True(errors.Is(err, code([]engine.Code{engine.UpstreamUnhealthy, engine.StalePlan, engine.UpstreamUnhealthy}[i])))
	}
}

func TestAllUpstreamsOfAWholeStateAreAskedSideBySide(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.Upstreams.CheckTimeout = 500 * time.Millisecond })
	silent := h.Upstream("silent")
	silent.SetDelay(20 * time.Second)
	var routes []resources.Route
	for i := range 200 {
		routes = append(routes, route(t, fmt.Sprintf("r%d", i), silent.Port(), func(f *resources.RouteFields) {
			f.HealthCheckPath = fmt.Sprintf("/health?%d", i)
		}))
	}
	begun := time.Now()
	_, err := h.apply(routes...)
	is.True(errors.Is(err, code(engine.UpstreamUnhealthy)))
	is.True(time.Since(begun) < 4*time.Second) // one after the other, sixteen at once: over six
}

func TestAnUpstreamIsAskedOnceForAChangeAndNotWithoutOne(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	r := h.route("once")
	h.put(r)
	is.Equal(h.up.Requests(), 1)
	h.put(r)
	is.Equal(h.up.Requests(), 1) // nothing changes
	p, err := h.Plan(t.Context(), engine.Put(route(t, "once", h.up.Port(), withBodySize("1m"))))
	is.NoErr(err)
	is.Equal(h.up.Requests(), 1) // a plan asks nobody
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)
	is.Equal(h.up.Requests(), 2)
}

func TestAnInterruptedCheckIsNoTimeout(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.Upstreams.CheckTimeout = 20 * time.Second })
	silent := h.Upstream("silent")
	silent.SetDelay(20 * time.Second)
	interrupt := errors.New("interrupt")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(interrupt) })
	before := h.Tree()
	_, err := h.Do(ctx, engine.Put(route(t, "silent", silent.Port())))
	is.True(errors.Is(err, interrupt))
	is.True(!errors.Is(err, code(engine.UpstreamUnhealthy)))
	is.True(!strings.Contains(err.Error(), "did not answer"))
	is.Equal(h.Tree().Diff(before), "")
	_, known := h.LastHealth("silent")
	is.True(!known) // nothing was learned of it
}
