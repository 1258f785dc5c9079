package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestANoticeHasWhatRoutesHave(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	before := lab.Tree()
	is.NoErr(run(t.Context(), lab.EngineOptions(), "old.example.com", "We have moved.", true))
	answers(t, lab, "We have moved.")
	is.NoErr(run(t.Context(), lab.EngineOptions(), "old.example.com", "We are gone.", true))
	answers(t, lab, "We are gone.")

	eng := open(t, lab)
	is.Equal(drift(t, eng), "")
	file := filepath.Join(lab.SitesAvailable, "fpai-_notice-notice.conf")
	edit(t, file)
	is.Equal(drift(t, eng), "notice.notice edited")

	gone, err := NewNotice("notice", "old.example.com", "We are gone.")
	is.NoErr(err)
	p, err := eng.Plan(t.Context(), put(gone))
	is.NoErr(err)
	is.Equal(p.Summary, plan.Summary{Update: 1, Drifted: 1})
	is.True(strings.Contains(p.String(), "-# by hand"))
	_, err = eng.Apply(t.Context(), p)
	is.NoErr(err)
	is.Equal(drift(t, eng), "")

	// The history has what each apply replaced.
	entries, err := eng.History()
	is.NoErr(err)
	is.Equal(len(entries), 3)
	_, err = eng.Do(t.Context(), engine.Rollback(entries[0].ID))
	is.NoErr(err)
	is.Equal(drift(t, eng), "notice.notice edited") // the edit that the last apply took away
	_, err = eng.Do(t.Context(), engine.Rollback(entries[1].ID))
	is.True(errors.Is(err, &engine.Error{Code: engine.StalePlan})) // what it wrote is no longer there
	_, err = eng.Do(t.Context(), engine.Destroy())
	is.NoErr(err)
	is.Equal(lab.Tree().Diff(before), "") // a whole desired state without it takes it away
}

func TestANoticesDomainIsNobodyElses(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(run(t.Context(), lab.EngineOptions(), "old.example.com", "We have moved.", true))
	eng := open(t, lab)
	route, err := resources.NewRoute(resources.RouteFields{DropletName: "shop", Domain: "old.example.com", UpstreamPort: 8001})
	is.NoErr(err)
	_, err = eng.Plan(t.Context(), engine.Put(route))
	is.True(errors.Is(err, &engine.Error{Code: engine.DomainConflict}))
	is.True(strings.Contains(err.Error(), "fpai-_notice-notice.conf"))

	other, err := NewNotice("other", "old.example.com", "No.")
	is.NoErr(err)
	_, err = eng.Plan(t.Context(), put(other))
	is.True(errors.Is(err, &engine.Error{Code: engine.DomainConflict}))
}

func TestAProgramThatDoesNotKnowTheKindLeavesItAlone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(run(t.Context(), lab.EngineOptions(), "old.example.com", "We have moved.", true))
	stranger, err := engine.Open(lab.EngineOptions())
	is.NoErr(err)
	_, err = stranger.Do(t.Context(), engine.Destroy())
	is.NoErr(err)
	answers(t, lab, "We have moved.")
}

func TestWhatIsNoNoticeIsRefused(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]Notice{
		"a domain that ends its directive": {"a", "old.example.com; }", "text"},
		"a text with a line break":         {"a", "old.example.com", "a\nb"},
		"a name that is a path":            {"../a", "old.example.com", "text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewNotice(n.Name, n.Domain, n.Text)
			is.New(t).True(err != nil)
		})
	}
}

func open(t *testing.T, lab *enginetest.Lab) *engine.Engine {
	t.Helper()
	eng, err := engine.Open(withNotices(lab.EngineOptions()))
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

func answers(t *testing.T, lab *enginetest.Lab, want string) {
	t.Helper()
	res, err := lab.Get("old.example.com", "/anything")
	if err != nil || string(res.Body) != want {
		t.Fatalf("%q, %v", res.Body, err)
	}
}

func edit(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(b, "# by hand\n"...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func drift(t *testing.T, eng *engine.Engine) string {
	t.Helper()
	list, err := eng.Drift(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range list {
		found = append(found, d.Address+" "+string(d.Kind))
	}
	return strings.Join(found, ", ")
}
