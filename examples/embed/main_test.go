package main

import (
	"context"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestTheServiceIsReachableWhileItRuns(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	before := lab.Tree()
	eng, err := engine.Open(lab.EngineOptions())
	is.NoErr(err)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, eng, "hello", "hello.example.com") }()
	waitUntilExposed(t, eng, ended)
	res, err := lab.Get("hello.example.com", "/")
	is.NoErr(err)
	is.Equal(res.Body, "hello\n")

	stop()
	is.NoErr(<-ended)
	is.Equal(lab.Tree().Diff(before), "") // nothing is left of it
}

// waitUntilExposed goes by the history: nginx answers a moment before the change is final, and to stop in that moment
// undoes it.
func waitUntilExposed(t *testing.T, eng *engine.Engine, ended <-chan error) {
	t.Helper()
	enginetest.Until(t, 20*time.Second, "the service is exposed", func() bool {
		select {
		case err := <-ended:
			t.Fatalf("the service ended: %v", err)
		default:
		}
		applies, err := eng.History()
		return err == nil && len(applies) > 0
	})
}
