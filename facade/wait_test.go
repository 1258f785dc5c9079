package facade

import (
	"context"
	"crypto/rsa"
	"errors"
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

func TestTheRegistrysKeyIsFetchedNowAndThenAndStaysGoodWhileTheRegistryIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		down, fetched := errors.New("down"), 0
		key, err := &rsa.PublicKey{}, down
		k := &publicKey{now: time.Now, fetch: func(context.Context) (*rsa.PublicKey, error) {
			fetched++
			if err != nil {
				return nil, err
			}
			return key, nil
		}}
		get := func() (*rsa.PublicKey, error) { return k.get(t.Context()) }

		for range 100 { // however many tokens come
			_, got := get()
			is.Equal(got, down)
		}
		is.Equal(fetched, 1)
		err = nil
		time.Sleep(keyRetry)
		got, failure := get()
		is.NoErr(failure)
		is.True(got == key)
		is.Equal(fetched, 2)

		time.Sleep(keyLifetime - time.Second)
		_, failure = get()
		is.NoErr(failure)
		is.Equal(fetched, 2)
		err = down
		time.Sleep(time.Second)
		got, failure = get()
		is.NoErr(failure) // nobody is locked out
		is.True(got == key)
		is.Equal(fetched, 3)

		err, key = nil, &rsa.PublicKey{}
		k.expire() // a stranger's token can't have it fetched again at once
		_, _ = get()
		is.Equal(fetched, 3)
		time.Sleep(keyRetry)
		k.expire()
		got, failure = get()
		is.NoErr(failure)
		is.True(got == key) // the Registry's new one
		is.Equal(fetched, 4)
	})
}

func TestTrafficIsThatOfTheLastMinuteAndTheLastHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		traffic := newTraffic(time.Now)
		is.Equal(traffic.recent(), recent{})
		traffic.count(200, 10*time.Millisecond)
		traffic.count(500, 30*time.Millisecond)
		is.Equal(traffic.recent(), recent{Total: 2, ErrorsLastHour: 1, PerMinute: 2, Average: 20 * time.Millisecond, ErrorRate: 50})
		time.Sleep(time.Minute)
		is.Equal(traffic.recent(), recent{Total: 2, ErrorsLastHour: 1, PerMinute: 0, Average: 20 * time.Millisecond, ErrorRate: 50})
		time.Sleep(time.Hour - time.Minute)
		is.Equal(traffic.recent(), recent{Total: 2})
		traffic.count(404, 0) // in a second that was used an hour ago
		is.Equal(traffic.recent(), recent{Total: 3, PerMinute: 1})
	})
}

func TestWhatIsPausedEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		is.Equal(took(func() { is.True(sleep(ctx, time.Second)) }), time.Second)
		is.Equal(took(func() { is.True(!sleep(ctx, time.Hour)) }), time.Minute-time.Second)
	})
}
