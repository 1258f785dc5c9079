package engine_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

func TestMaintainRenewsByItself(t *testing.T) {
	var ahead atomic.Int64 // how far the engine's clock is ahead
	is, h := begin(t, enginetest.Options{ACME: true, CertificateLifetime: 10 * time.Minute}, func(o *engine.Options) {
		o.ACME.RenewInterval = 500 * time.Millisecond
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	_, err := h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
	is.True(!h.status("shop").Due)
	ahead.Store(int64(6 * time.Minute)) // beyond the half of a short lifetime
	is.True(h.status("shop").Due)
	first := h.status("shop").Serial
	ctx, stop := context.WithCancel(t.Context())
	var maintained sync.WaitGroup
	defer maintained.Wait()
	defer stop()
	maintained.Go(func() { h.Maintain(ctx, nil) })
	enginetest.Until(t, time.Minute, "the certificate is renewed and served", func() bool {
		st := h.status("shop")
		return st.Serial != first && !st.Stale()
	})
}

// A lookCounter counts the looks that Maintain could not take.
type lookCounter struct {
	slog.Handler
	times []time.Time
}

func (c *lookCounter) Handle(_ context.Context, r slog.Record) error {
	c.times = append(c.times, r.Time)
	return nil
}

func TestMaintainLooksAtEveryIntervalMoreOrLessAndEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		dir, looks := t.TempDir(), &lookCounter{Handler: slog.NewTextHandler(io.Discard, nil)}
		e, err := engine.Open(engine.Options{
			Nginx:  engine.NginxOptions{SitesAvailable: dir, SitesEnabled: dir, Bin: "/nowhere/nginx"},
			State:  engine.StateOptions{Dir: filepath.Join(dir, "state")},
			Logger: slog.New(looks),
		})
		is.NoErr(err)
		start := time.Now()
		ctx, stop := context.WithTimeout(t.Context(), 48*time.Hour)
		defer stop()
		e.Maintain(ctx, func(context.Context, engine.Request) (*engine.Result, error) {
			t.Error("there is nothing to change")
			return nil, nil
		})
		is.Equal(time.Since(start), 48*time.Hour)
		is.True(len(looks.times) >= 4 && len(looks.times) <= 6)
		is.True(looks.times[0].Sub(start) < 5*time.Minute)
		for i, at := range looks.times[1:] {
			pause := at.Sub(looks.times[i])
			is.True(pause >= 12*time.Hour*9/10 && pause <= 12*time.Hour*11/10)
		}
	})
}

func TestMaintainHasNginxLoadWhatSomebodyElseRenewed(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.ACME.RenewInterval = 200 * time.Millisecond })
	h.bring("fpai-shop", "shop.example.test")
	h.put(h.httpsRoute("shop"))
	first := h.leaf("shop.example.test").SerialNumber
	h.bring("fpai-shop", "shop.example.test")
	is.Equal(h.leaf("shop.example.test").SerialNumber, first) // nginx has not loaded it

	ctx, stop := context.WithCancel(t.Context())
	reloads := make(chan *engine.Result, 100)
	var maintained sync.WaitGroup
	maintained.Go(func() {
		h.Maintain(ctx, func(ctx context.Context, req engine.Request) (*engine.Result, error) {
			res, err := h.Do(ctx, req)
			if err == nil {
				reloads <- res
			}
			return res, err
		})
	})
	enginetest.Until(t, time.Minute, "the certificate is served", func() bool { return h.leaf("shop.example.test").SerialNumber.Cmp(first) != 0 })
	enginetest.Until(t, time.Minute, "it is known to be served", func() bool { st := h.status("shop"); return st.ServedSerial == st.Serial })
	stop()
	maintained.Wait()
	is.Equal(kinds((<-reloads).Plan), "test_config reload verify")
	is.Equal(len(reloads), 0) // once, though it looks again and again
	history, err := h.History()
	is.NoErr(err)
	is.Equal(history[0].Actor, "renewal")
}
