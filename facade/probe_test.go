package facade

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/matryer/is"
)

// slowSight looks for so long, and counts the looks. It sees a host that is well.
func slowSight(takes time.Duration, looks *atomic.Int32) func(context.Context) health.Sighting {
	return func(context.Context) health.Sighting {
		looks.Add(1)
		time.Sleep(takes)
		return health.Sighting{
			At: time.Now(), Nginx: engine.NginxStatus{Present: true, Running: true}, Certbot: engine.CertbotStatus{Present: true},
		}
	}
}

// took returns how long f takes.
func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func TestHealthIsAnsweredAtOnceEvenBeforeTheFirstLookIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var looks atomic.Int32
		p := newProbe(slowSight(time.Second, &looks), time.Now)
		is.Equal(took(func() { is.Equal(p.seen().Status(), health.Degraded) }), firstGlance)
		is.Equal(took(func() { is.Equal(p.fresh().Status(), health.Healthy) }), time.Second-firstGlance) // has the time to wait for it
		is.Equal(took(func() { is.Equal(p.seen().Status(), health.Healthy) }), time.Duration(0))
		is.Equal(looks.Load(), int32(1))
	})
}

func TestALookIsBelievedForAWhileAndTakenOnceForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var looks atomic.Int32
		p := newProbe(slowSight(100*time.Millisecond, &looks), time.Now)
		first := p.fresh()
		time.Sleep(probeFresh)
		is.Equal(p.fresh(), first)
		time.Sleep(time.Millisecond)
		var askers sync.WaitGroup
		for range 10 {
			askers.Go(func() { is.True(p.fresh().At.After(first.At)) })
		}
		askers.Wait()
		is.Equal(looks.Load(), int32(2))
	})
}

func TestALookThatTakesLongIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var looks atomic.Int32
		p := newProbe(slowSight(time.Minute, &looks), time.Now)
		is.Equal(took(func() { p.fresh() }), firstPatience)
		time.Sleep(time.Minute)
		first := p.seen()
		is.Equal(took(func() { is.Equal(p.fresh(), first) }), probePatience) // the last that is known
		time.Sleep(time.Minute)
		is.True(p.seen().At.After(first.At))
		time.Sleep(time.Minute) // seen has begun another
	})
}

func TestTheProbeLooksByItselfUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var looks atomic.Int32
		p := newProbe(slowSight(0, &looks), time.Now)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute+probeInterval/2)
		defer stop()
		p.run(ctx)
		is.Equal(looks.Load(), int32(1+time.Minute/probeInterval))
	})
}
