package engine_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// exampleHost is a private nginx with one service; a program of yours leaves the options empty and has the host's.
func exampleHost() (eng *engine.Engine, lab *enginetest.Lab, service *enginetest.Upstream) {
	lab, err := enginetest.New(enginetest.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if eng, err = engine.Open(lab.EngineOptions()); err != nil {
		log.Fatal(err)
	}
	return eng, lab, lab.Upstream("shop")
}

func exampleRoute(name string, port int) resources.Route {
	route, err := resources.NewRoute(resources.RouteFields{
		DropletName: name, Domain: name + ".example.com", UpstreamHost: "127.0.0.1", UpstreamPort: port, EnableSSL: new(false),
	})
	if err != nil {
		log.Fatal(err)
	}
	return route
}

// Do plans and applies in one go. When it returns, nginx serves the route.
func ExampleEngine_Do() {
	eng, lab, service := exampleHost()
	defer lab.Close()
	ctx := context.Background()

	_, err := eng.Do(ctx, engine.Put(exampleRoute("shop", service.Port())))
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := lab.Get("shop.example.com", "/name")
	fmt.Print(res.Body, err)
	// Output:
	// shop
	// <nil>
}

// A plan can be shown, saved and reviewed before it is applied.
func ExampleEngine_Plan() {
	eng, lab, service := exampleHost()
	defer lab.Close()
	ctx := context.Background()

	p, err := eng.Plan(ctx, engine.Put(exampleRoute("shop", service.Port())))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Summary.Create, "to add; the first step is", p.Steps[0].Kind, "and the last is", p.Steps[len(p.Steps)-1].Kind)
	_, err = eng.Apply(ctx, p)
	fmt.Println(err)
	_, err = eng.Apply(ctx, p) // the host is another now
	fmt.Println(engine.CodeOf(err))
	// Output:
	// 3 to add; the first step is check_health and the last is verify
	// <nil>
	// STALE_PLAN
}

// An error says by its code what failed, and by its outcome what became of the host.
func ExampleError() {
	eng, lab, service := exampleHost()
	defer lab.Close()
	service.SetHealthy(false)

	_, err := eng.Do(context.Background(), engine.Put(exampleRoute("shop", service.Port())))
	fmt.Println(errors.Is(err, &engine.Error{Code: engine.UpstreamUnhealthy}))
	fmt.Println(engine.OutcomeOf(err))
	// Output:
	// true
	// nothing was changed
}

// Events tell of each step as it is done.
func ExampleWithEvents() {
	eng, lab, service := exampleHost()
	defer lab.Close()

	ctx := engine.WithEvents(context.Background(), func(ev engine.Event) {
		if ev.Type == engine.StepDone && ev.Step.Kind == "reload" {
			fmt.Println(ev.Type, ev.Step.Description)
		}
	})
	_, err := eng.Do(ctx, engine.Put(exampleRoute("shop", service.Port())))
	fmt.Println(err)
	// Output:
	// step_done tell nginx to load it
	// <nil>
}

// What an apply replaced can be put back, byte for byte, as long as the history keeps it.
func ExampleRollback() {
	eng, lab, service := exampleHost()
	defer lab.Close()
	ctx := context.Background()
	before := lab.Tree()

	done, err := eng.Do(ctx, engine.Put(exampleRoute("shop", service.Port())))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = eng.Do(ctx, engine.Rollback(done.ID))
	fmt.Println(err, lab.Tree().Diff(before) == "")
	// Output:
	// <nil> true
}
