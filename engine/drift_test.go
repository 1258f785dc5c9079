package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestDriftNamesEachRouteThatIsNotAsItWasWrittenAndChangesNothing(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "edited"), unasked(t, "gone"), unasked(t, "intact"), unasked(t, "rights"), unasked(t, "torn"), unasked(t, "unlinked"))
	list, err := h.Drift(t.Context())
	is.NoErr(err)
	is.Equal(len(list), 0)

	available := func(name string) string { return h.SitesAvailable + "/fpai-" + name + ".conf" }
	appendTo(t, available("edited"), "# by hand\n")
	is.NoErr(os.Remove(available("gone")))
	is.NoErr(os.Chmod(available("rights"), 0o600))
	torn, err := os.ReadFile(available("torn"))
	is.NoErr(err)
	is.NoErr(os.WriteFile(available("torn"), bytes.Replace(torn, []byte(`{"`), []byte(`{`), 1), 0o644)) // what it was made from can't be read any more
	is.NoErr(os.Remove(h.SitesEnabled + "/fpai-unlinked.conf"))
	before := h.Tree()

	list, err = h.Drift(t.Context())
	is.NoErr(err)
	var found []string
	for _, d := range list {
		found = append(found, d.Address+" "+string(d.Kind))
		is.True(d.Message != "")
		is.True(strings.HasSuffix(d.File, ".conf"))
		if d.Address == "route.edited" {
			is.True(strings.Contains(d.Diff, "-# by hand")) // the way back
		}
	}
	is.Equal(found, []string{"route.edited edited", "route.gone missing", "route.rights edited", "route.torn edited", "route.unlinked unlinked"})
	is.Equal(h.Tree(), before)
}

func TestAPlanIsStaleOnceTheHostHasChangedAndSoIsOneThatWasEdited(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha"))
	p, err := h.Plan(t.Context(), engine.Put(unasked(t, "alpha", withBodySize("1m"))))
	is.NoErr(err)
	is.NoErr(h.CheckStale(t.Context(), p))

	edited := *p
	edited.ID = strings.Repeat("0", len(p.ID))
	is.Equal(engine.CodeOf(h.CheckStale(t.Context(), &edited)), engine.InvalidInput)
	edited = *p
	edited.Request = []byte(`{"operation": "put", "routes": [{"droplet_name": "../etc"}]}`)
	is.Equal(engine.CodeOf(h.CheckStale(t.Context(), &edited)), engine.InvalidInput)
	edited.Request = []byte(`{"sudo": true}`)
	is.Equal(engine.CodeOf(h.CheckStale(t.Context(), &edited)), engine.InvalidInput)

	before := h.Tree()
	appendTo(t, h.SitesAvailable+"/fpai-alpha.conf", "# by hand\n")
	changed := h.Tree()
	err = h.CheckStale(t.Context(), p)
	is.Equal(engine.CodeOf(err), engine.StalePlan)
	is.True(strings.Contains(err.Error(), "fpai-alpha.conf was ")) // what has changed
	is.Equal(h.Tree(), changed)
	is.True(changed.Diff(before) != "")

	// What was asked for is no longer possible, and why is that the host has moved.
	is.NoErr(h.Site("hand.conf", "server { server_name alpha.example.test; }\n"))
	err = h.CheckStale(t.Context(), p)
	is.Equal(engine.CodeOf(err), engine.StalePlan)
	is.True(strings.Contains(err.Error(), "hand.conf is new"))
}

func TestWhoeverAsksMaySeeARouteAsItIsAndRefuse(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha"))
	before := h.Tree()
	no := &engine.Error{Code: engine.StalePlan, Message: "not that one"}
	for _, c := range []struct {
		req  engine.Request
		seen engine.RouteStatus
	}{
		{engine.Put(unasked(t, "alpha", withBodySize("1m"))), engine.RouteStatus{Name: "alpha", Status: engine.Active}},
		{engine.Delete("alpha"), engine.RouteStatus{Name: "alpha", Status: engine.Active}},
		{engine.Put(unasked(t, "beta")), engine.RouteStatus{}}, // there is none yet
	} {
		asked := 0
		c.req.Precondition = func(s engine.RouteStatus) error {
			asked++
			is.Equal(s.Name, c.seen.Name)
			is.Equal(s.Status, c.seen.Status)
			return no
		}
		_, err := h.Do(t.Context(), c.req)
		is.True(errors.Is(err, no))
		is.Equal(asked, 1)
		is.Equal(h.Tree(), before)
		c.req.Precondition = func(engine.RouteStatus) error { return nil }
		_, err = h.Do(t.Context(), c.req)
		is.NoErr(err)
		before = h.Tree()
	}
}

func TestAConflictAddedByHandIsShownBesideEveryOtherDrift(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha", withAliases("also.example.test")), unasked(t, "beta"), unasked(t, "gone"), unasked(t, "intact"))
	is.NoErr(h.Site("hand.conf", fmt.Sprintf("server { listen %d; server_name alpha.example.test also.example.test; }\n", h.HTTPPort)))
	appendTo(t, h.SitesAvailable+"/fpai-beta.conf", "# by hand\n")
	is.NoErr(os.Remove(h.SitesAvailable + "/fpai-gone.conf"))
	list, err := h.Drift(t.Context())
	is.NoErr(err)
	var found []string
	for _, d := range list {
		found = append(found, d.Address+" "+string(d.Kind))
		if d.Kind == engine.Conflict {
			is.True(strings.Contains(d.Message, h.SitesEnabled+"/hand.conf:1"))
			is.Equal(d.File, h.SitesAvailable+"/fpai-alpha.conf")
		}
	}
	is.Equal(found, []string{"route.alpha conflict", "route.alpha conflict", "route.beta edited", "route.gone missing"})

	// It stands in the way of nothing but what it is about.
	_, err = h.Plan(t.Context(), engine.Put(unasked(t, "beta")))
	is.NoErr(err)
	_, err = h.Plan(t.Context(), engine.Put(unasked(t, "alpha")))
	is.Equal(engine.CodeOf(err), engine.DomainConflict)
	_, err = h.apply(unasked(t, "alpha"), unasked(t, "beta"))
	is.Equal(engine.CodeOf(err), engine.DomainConflict)
}

func TestARouteThatCanNoLongerBePlannedHidesNoOtherDrift(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha"), unasked(t, "beta"), unasked(t, "gamma"))
	appendTo(t, h.SitesAvailable+"/fpai-beta.conf", "# by hand\n")
	is.NoErr(os.Remove(h.SitesEnabled + "/fpai-alpha.conf"))
	is.NoErr(os.WriteFile(h.SitesEnabled+"/fpai-alpha.conf", []byte("# mine\n"), 0o644)) // somebody else's
	list, err := h.Drift(t.Context())
	is.NoErr(err)
	var found []string
	for _, d := range list {
		found = append(found, d.Address+" "+string(d.Kind))
	}
	is.Equal(found, []string{"route.alpha conflict", "route.beta edited"})
}

func TestAStalePlanTellsOfWhatHasChangedAndOfNothingElse(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.bring("wild", "*.example.test")
	h.put(unasked(t, "alpha"))
	p, err := h.Plan(t.Context(), engine.Put(unasked(t, "beta", withSSL), unasked(t, "alpha", withBodySize("1m"))))
	is.NoErr(err)
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)

	_, err = h.Apply(t.Context(), p) // twice
	is.Equal(engine.CodeOf(err), engine.StalePlan)
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	changed := failure.Details["changed"].([]string)
	for _, c := range changed {
		path, _, _ := strings.Cut(c, " ")
		is.True(!strings.HasSuffix(c, " is gone"))
		is.True(strings.HasPrefix(path, h.SitesAvailable) || strings.HasPrefix(path, h.SitesEnabled)) // it wrote nothing else
	}
	is.True(strings.Contains(strings.Join(changed, "\n"), "fpai-beta.conf is new"))
	is.True(strings.Contains(strings.Join(changed, "\n"), "fpai-alpha.conf was file"))

	// What is really gone is said, also where planning fails before it would be read again.
	p, err = h.Plan(t.Context(), engine.Put(unasked(t, "gamma"), unasked(t, "beta", withSSL)))
	is.NoErr(err)
	is.NoErr(os.RemoveAll(h.CertbotConfigDir + "/live/wild"))
	is.NoErr(h.Site("hand.conf", "server { server_name gamma.example.test; }\n"))
	err = h.CheckStale(t.Context(), p)
	is.Equal(engine.CodeOf(err), engine.StalePlan)
	is.True(strings.Contains(err.Error(), "live/wild"))
	is.True(strings.Contains(err.Error(), " is gone"))
	is.True(!strings.Contains(err.Error(), "fpai-")) // those are as they were
}
