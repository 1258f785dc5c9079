package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

func TestAnOptionOutOfRangeIsNamed(t *testing.T) {
	t.Parallel()
	for field, change := range map[string]func(*engine.Options){
		"Nginx.Bin":              func(o *engine.Options) { o.Nginx.Bin = "nginx" },
		"State.Dir":              func(o *engine.Options) { o.State.Dir = "./state" },
		"Nginx.HTTPPort":         func(o *engine.Options) { o.Nginx.HTTPPort = 65536 },
		"Nginx.HTTPSPort":        func(o *engine.Options) { o.Nginx.HTTPSPort = 80 },
		"Certbot.Timeout":        func(o *engine.Options) { o.Certbot.Timeout = -time.Second },
		"Upstreams.CAFile":       func(o *engine.Options) { o.Upstreams.CAFile = "ca.pem" },
		"Upstreams.CheckTimeout": func(o *engine.Options) { o.Upstreams.CheckTimeout = -1 },
		"State.KeepApplies":      func(o *engine.Options) { o.State.KeepApplies = -1 },
		"State.KeepBytes":        func(o *engine.Options) { o.State.KeepBytes = -1 },
	} {
		t.Run(field, func(t *testing.T) {
			is := is.New(t)
			var o engine.Options
			change(&o)
			_, err := engine.Open(o)
			var e *engine.Error
			is.True(errors.As(err, &e))
			is.Equal(e.Code, engine.InvalidInput)
			is.Equal(e.Details["field"], field)
		})
	}
}

func TestTwoKindsOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	_, err := engine.Open(engine.Options{Resources: map[string]engine.Decoder{"route": engine.DecodeJSON[noResource]}})
	is.True(errors.Is(err, &engine.Error{Code: engine.InvalidInput}))
	_, err = engine.Open(engine.Options{Resources: map[string]engine.Decoder{"a.b": engine.DecodeJSON[noResource]}})
	is.True(errors.Is(err, &engine.Error{Code: engine.InvalidInput})) // no address could name it
}

type noResource struct{}

func (noResource) Address() string                                             { return "none.none" }
func (noResource) Plan(context.Context, *host.Observer, *engine.Builder) error { return nil }
