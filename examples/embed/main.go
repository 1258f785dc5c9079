// Command embed is a service that makes itself reachable: it registers its route when it starts, and takes it away when
// it stops. It works on the nginx in /etc/nginx, so it runs as root; its test brings an nginx of its own.
//
//	go run ./examples/embed -name hello -domain hello.example.com
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func main() {
	name := flag.String("name", "hello", "name of the route")
	domain := flag.String("domain", "hello.example.com", "domain that the service answers for")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	eng, err := engine.Open(engine.Options{State: engine.StateOptions{LockTimeout: time.Minute}})
	if err != nil {
		log.Fatal(err)
	}
	if err := run(ctx, eng, *name, *domain); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends, reachable under the domain for as long.
func run(ctx context.Context, eng *engine.Engine, name, domain string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0") // any free port: the route says which
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: service(), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }() // before the route is put: its health is checked first

	route, err := resources.NewRoute(resources.RouteFields{
		DropletName: name, Domain: domain,
		UpstreamHost: "127.0.0.1", UpstreamPort: l.Addr().(*net.TCPAddr).Port,
		EnableSSL: new(false),
	})
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	withdraw, err := expose(ctx, eng, route)
	if err != nil {
		return errors.Join(err, srv.Close())
	}
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	// ctx is over, and the farewell still has to be said: first nobody is sent here any more, then the service ends.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(err, withdraw(ctx), srv.Shutdown(ctx))
}

// expose returns when every new connection for the route's domain reaches its upstream; withdraw takes that back. On an
// error nothing has changed.
func expose(ctx context.Context, eng *engine.Engine, route resources.Route) (withdraw func(context.Context) error, err error) {
	if _, err := eng.Do(ctx, engine.Put(route)); err != nil {
		return nil, fmt.Errorf("expose %s: %w", route.Domain(), err)
	}
	return func(ctx context.Context) error {
		_, err := eng.Do(ctx, engine.Delete(route.Name()))
		return err
	}, nil
}

func service() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {}) // 200
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	return mux
}
