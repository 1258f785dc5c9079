package engine_test

import (
	"fmt"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Planning among many routes: by an engine that has just been opened, as on the command line, and by one that knows the
// files, as in a server. examples/bench measures whole applies.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			lab := enginetest.Start(b, enginetest.Options{})
			e := open(b, lab)
			all := engine.Request{Operation: "apply", Routes: manyRoutes(b, n)}
			if _, err := e.Do(b.Context(), all); err != nil {
				b.Fatal(err)
			}
			b.Run("NoChangeFresh", func(b *testing.B) {
				for b.Loop() {
					benchmarkPlan(b, open(b, lab), all, true)
				}
			})
			b.Run("NoChange", func(b *testing.B) {
				for b.Loop() {
					benchmarkPlan(b, e, all, true)
				}
			})
			b.Run("PutOne", func(b *testing.B) {
				for b.Loop() {
					benchmarkPlan(b, e, engine.Put(route(b, "r00001", 9999)), false)
				}
			})
		})
	}
}

func benchmarkPlan(b *testing.B, e *engine.Engine, req engine.Request, empty bool) {
	p, err := e.Plan(b.Context(), req)
	if err != nil {
		b.Fatal(err)
	}
	if p.Empty() != empty {
		b.Fatalf("%d steps", len(p.Steps))
	}
}

func manyRoutes(t testing.TB, n int) []resources.Route {
	routes := make([]resources.Route, n)
	for i := range routes {
		routes[i] = route(t, fmt.Sprintf("r%05d", i), 8000, func(f *resources.RouteFields) { f.RequireHealthy = new(false) })
	}
	return routes
}
