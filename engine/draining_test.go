package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestOldWorkersThatPileUpAreReported(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{Workers: 2})
	up := lab.Upstream("alpha")
	var warnings []string
	ctx := engine.WithEvents(context.Background(), func(ev engine.Event) {
		if ev.Type == engine.Warning {
			warnings = append(warnings, ev.Message)
		}
	})
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	// Each WebSocket keeps one worker of its generation alive; with two of them there is one reload's worth, and the next
	// reload adds to it.
	for i := range 3 {
		ws, err := lab.DialWebSocket("ws://alpha.example.test/ws")
		is.NoErr(err)
		defer ws.Close()
		_, err = ws.Echo("hello") // it is really open
		is.NoErr(err)
		settleWorkers(ctx, e, i)
		is.Equal(len(warnings), 0)
		if i == 2 {
			time.Sleep(4 * time.Second) // those that end by themselves have done so
		}
		_, err = e.Do(ctx, engine.Put(route(t, "alpha", up.Port(), func(f *resources.RouteFields) { f.Aliases = []string{fmt.Sprintf("a%d.example.test", i)} })))
		is.NoErr(err)
	}
	is.Equal(len(warnings), 1)
	is.True(strings.HasPrefix(warnings[0], "2 old workers"))
	settleWorkers(ctx, e, 3)
	is.Equal(e.Nginx(ctx).Draining, 3)
}

// settleWorkers waits until only so many old workers are left: those without a connection end at once, as soon as the
// machine has the time, and those with a WebSocket stay.
func settleWorkers(ctx context.Context, e *engine.Engine, left int) {
	for deadline := time.Now().Add(30 * time.Second); e.Nginx(ctx).Draining > left && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
}
