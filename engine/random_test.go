package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

var (
	states = flag.Int("states", 300, "how many random desired states are applied, on several hosts one after the other")
	seed   = flag.Uint64("states-seed", 0, "seed of the random desired states; 0 picks one")
)

// TestAnyDesiredStateFollowsAnyOther applies random desired states, some of them after hand edits, and checks each time
// that nothing is left to do, that the directory holds what was asked for and no more, and that nginx serves it.
func TestAnyDesiredStateFollowsAnyOther(t *testing.T) {
	t.Parallel()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with -states-seed %d", *seed)
	const hosts = 4 // most of the time goes by waiting for nginx
	for n := range hosts {
		t.Run(fmt.Sprint("host ", n+1), func(t *testing.T) { followStates(t, *states/hosts, rand.New(rand.NewPCG(*seed, uint64(n)))) })
	}
}

func followStates(t *testing.T, states int, rnd *rand.Rand) {
	is, h := begin(t, enginetest.Options{Workers: 1})
	empty := h.Tree()
	for i := range states {
		if rnd.IntN(10) == 0 {
			vandalise(t, rnd, h.Lab)
		}
		want := randomRoutes(t, rnd, h.up.Port())
		req := engine.Request{Operation: "apply", Routes: want}
		if _, err := h.Do(t.Context(), req); err != nil {
			t.Fatalf("state %d (seed %d): %v", i, *seed, err)
		}
		p, err := h.another().Plan(t.Context(), req) // an engine that remembers nothing
		is.NoErr(err)
		if !p.Empty() {
			t.Fatalf("state %d (seed %d) is not settled:\n%s", i, *seed, p)
		}
		checkDirectory(t, h.Lab, want)
		if served := slices.IndexFunc(want, resources.Route.Enabled); served >= 0 {
			is.Equal(h.page(want[served].Domains()[rnd.IntN(len(want[served].Domains()))]), "up\n")
		}
	}
	_, err := h.Do(t.Context(), engine.Destroy())
	is.NoErr(err)
	is.Equal(h.Tree().Diff(empty), "")
}

// randomRoutes returns up to eight routes, no domain twice.
func randomRoutes(t *testing.T, rnd *rand.Rand, port int) []resources.Route {
	var routes []resources.Route
	domains := rnd.Perm(40)
	for _, n := range rnd.Perm(10)[:rnd.IntN(9)] {
		f := resources.RouteFields{
			DropletName: fmt.Sprintf("r%d", n), Domain: fmt.Sprintf("d%d.example.test", domains[0]),
			UpstreamHost: []string{"localhost", "127.0.0.1"}[rnd.IntN(2)], UpstreamPort: port,
			RequireHealthy: new(rnd.IntN(2) == 0), EnableSSL: new(rnd.IntN(3) == 0), Enabled: new(rnd.IntN(5) > 0),
			MaxBodySize: []string{"", "1m", "0"}[rnd.IntN(3)], ReadTimeout: []string{"", "5s", "1h"}[rnd.IntN(3)],
		}
		domains = domains[1:]
		for range rnd.IntN(3) {
			f.Aliases = append(f.Aliases, fmt.Sprintf("%s%d.example.test", strings.Repeat("a", 1+rnd.IntN(60)), domains[0]))
			domains = domains[1:]
		}
		r, err := resources.NewRoute(f)
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, r)
	}
	return routes
}

// vandalise does to a random managed file or link what people do by mistake.
func vandalise(t *testing.T, rnd *rand.Rand, lab *enginetest.Lab) {
	t.Helper()
	names, err := filepath.Glob(lab.SitesAvailable + "/fpai-*.conf")
	if err != nil || len(names) == 0 {
		return
	}
	name := names[rnd.IntN(len(names))]
	switch rnd.IntN(4) {
	case 0:
		appendTo(t, name, "# by hand\n")
	case 1:
		err = os.Chmod(name, 0o600)
	case 2:
		err = os.Remove(name)
	case 3:
		if err = os.Remove(filepath.Join(lab.SitesEnabled, filepath.Base(name))); os.IsNotExist(err) {
			err = nil // it was not enabled
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// checkDirectory checks that the files are those of the wanted routes, with a link where enabled, and the shared ones
// only while a route needs them.
func checkDirectory(t *testing.T, lab *enginetest.Lab, want []resources.Route) {
	t.Helper()
	var files, links []string
	for _, r := range want {
		files = append(files, r.FileName())
		if r.Enabled() {
			links = append(links, r.FileName())
		}
	}
	if len(links) > 0 {
		for _, shared := range []string{resources.MapsFile, resources.DefaultFile} {
			files, links = append(files, shared), append(links, shared)
		}
	}
	for dir, names := range map[string][]string{lab.SitesAvailable: files, lab.SitesEnabled: links} {
		slices.Sort(names)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if !slices.Equal(got, names) {
			t.Fatalf("%s holds %v, want %v", dir, got, names)
		}
	}
}
