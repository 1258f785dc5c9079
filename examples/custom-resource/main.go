// Command custom-resource plans and applies two resources that Proxy Manager does not know, together with a route. One is
// a file and needs no more than [engine.Builder.WriteFile]; the other is a call to a registry and brings a kind of step of
// its own, with its undo. Both get the plan, the diff, the undo and the recovery after a crash that routes have.
//
//	go run ./examples/custom-resource -registry http://127.0.0.1:8500          shows the plan
//	go run ./examples/custom-resource -registry http://127.0.0.1:8500 -apply   applies it
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func main() {
	at := flag.String("registry", "http://127.0.0.1:8500", "base URL of the registry")
	port := flag.Int("port", 8001, "port of the service")
	apply := flag.Bool("apply", false, "apply the plan, too")
	flag.Parse()
	if err := run(context.Background(), engine.Options{}, "/etc/hosts", *at, *port, *apply); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o engine.Options, hostsFile, registry string, port int, apply bool) error {
	eng, err := engine.Open(withOwn(o))
	if err != nil {
		return err
	}
	req, err := wanted(hostsFile, registry, port)
	if err != nil {
		return err
	}
	p, err := eng.Plan(ctx, req)
	if err != nil {
		return err
	}
	fmt.Print(p)
	if !apply {
		return nil
	}
	_, err = eng.Apply(ctx, p)
	return err
}

// withOwn has an engine know this program's step kind, and how to read its resources back from a plan.
func withOwn(o engine.Options) engine.Options {
	o.Kinds = []engine.StepKind{Announce{}}
	o.Resources = map[string]engine.Decoder{hostsType: decodeHosts, registrationType: engine.DecodeJSON[Registration]}
	return o
}

// wanted is a route, a name for it on this machine, and its entry in the registry: all of them, or none.
func wanted(hostsFile, registry string, port int) (engine.Request, error) {
	const domain = "shop.example.com"
	route, err := resources.NewRoute(resources.RouteFields{
		DropletName: "shop", Domain: domain, UpstreamHost: "127.0.0.1", UpstreamPort: port, EnableSSL: new(false),
	})
	if err != nil {
		return engine.Request{}, err
	}
	hosts, err := NewHosts(hostsFile, map[string]netip.Addr{domain: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		return engine.Request{}, err
	}
	req := engine.Put(route)
	req.Resources = engine.Resources{hosts, Registration{registry, "shop", "http://" + domain}}
	return req, nil
}
