// Command facade offers Proxy Manager's HTTP API inside a server that has other things to do, below a prefix and behind
// the server's own middleware, which here knows who may call.
//
//	ADMIN_TOKEN=secret go run ./examples/facade
//	curl -H 'X-Admin-Token: secret' http://127.0.0.1:8080/nginx/proxies
package main

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
)

func main() {
	token := os.Getenv("ADMIN_TOKEN")
	if token == "" {
		log.Fatal("ADMIN_TOKEN is not set")
	}
	eng, err := engine.Open(engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// No TokenFile: the middleware in front asks who calls. What guards against web pages stays on.
	api := facade.New(eng, facade.Options{Logger: slog.Default()})
	if err := serve("127.0.0.1:8080", api, token); err != nil {
		log.Fatal(err)
	}
}

// handler is the server's: a page of its own, and the API.
func handler(api http.Handler, token string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "The API is below /nginx/\n")
	})
	mux.Handle("/nginx/", admins(token, http.StripPrefix("/nginx", api)))
	return mux
}

// admins lets only those pass who know the token.
func admins(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Admin-Token")), []byte(token)) != 1 {
			http.Error(w, "admins only", http.StatusUnauthorized)
			return
		}
		// Who asks is in the history, and in the lock's message to others.
		next.ServeHTTP(w, r.WithContext(engine.WithActor(r.Context(), "admin")))
	})
}

// serve answers, and renews certificates, until SIGINT or SIGTERM. Then changes that are under way come to their end.
func serve(address string, api *facade.Server, token string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go api.Run(ctx)
	srv := &http.Server{Addr: address, Handler: handler(api, token), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		api.Drain(ctx)
		ended <- srv.Shutdown(ctx)
	})
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}
