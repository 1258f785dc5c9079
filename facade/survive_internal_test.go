package facade

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func TestALoopThatPanicsIsBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var log bytes.Buffer
		s := &Server{log: NewLogger(&log, 0, "json")}
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		start := time.Now()
		s.keepRunning(ctx, func(context.Context) {
			if runs++; runs < 3 {
				// As what a loop calls does, on a goroutine of its own.
				_ = host.ForEach(2, 2, func(int) error { panic("out of order") })
			}
			cancel()
		})
		is.Equal(runs, 3)
		is.Equal(time.Since(start), 2*loopPause)
		is.Equal(bytes.Count(log.Bytes(), []byte("out of order")), 2)
		is.True(bytes.Contains(log.Bytes(), []byte("TestALoopThatPanics"))) // the stack of who panicked
	})
}

func TestALookThatPanicsIsNoLookAndTheNextOneCounts(t *testing.T) {
	is := is.New(t)
	eng, err := engine.Open(engine.Options{Nginx: engine.NginxOptions{Bin: "/none/nginx"}, Certbot: engine.CertbotOptions{Bin: "/none/certbot"}})
	is.NoErr(err)
	var broken atomic.Bool
	s := New(eng, Options{Clock: func() time.Time {
		if broken.Load() {
			panic("out of order")
		}
		return time.Now()
	}})
	<-s.probe.look() // the first
	broken.Store(true)
	<-s.probe.look()
	is.True(s.probe.latest().At.IsZero())
	broken.Store(false)
	<-s.probe.look()
	is.True(!s.probe.latest().At.IsZero())
}
