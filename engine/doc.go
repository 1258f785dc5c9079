// Package engine makes a host match what is wanted of it, or leaves it exactly as it was.
//
// An [Engine] observes the host (nginx's configuration, the managed sites, certificates), computes a [plan.Plan] from a
// [Request], and applies it step by step. Before the first visible change everything needed to undo it is on disk, in
// a journal; so a step that fails, a signal, kill -9 or a power cut all end with the host exactly as before or exactly
// as planned. The configurations themselves are the only state: an engine opened on another day, or another machine
// that was restored from backup, knows everything from the directory.
//
//	eng, err := engine.Open(engine.Options{})
//	route, err := resources.NewRoute(resources.RouteFields{DropletName: "shop", Domain: "shop.example.com", UpstreamPort: 8001})
//	p, err := eng.Plan(ctx, engine.Put(route))
//	fmt.Print(p) // diffs, and "Plan: 1 to add, …"
//	_, err = eng.Apply(ctx, p)
//
// Errors carry a [Code] that says what failed and an [Outcome] that says what became of the host; see [Error].
// A resource of your own gets the same plan, diff, undo and crash recovery: see [Resource] and [StepKind].
package engine
