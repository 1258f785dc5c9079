package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestTheHistoryIsPrunedByAgeAndByNumber(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	now := time.Now()
	e := open(t, lab, func(o *engine.Options) {
		o.State.Keep, o.State.KeepApplies, o.Clock = time.Hour, 3, func() time.Time { return now }
	})
	put := func(size string) {
		t.Helper()
		now = now.Add(time.Second)
		_, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked, func(f *resources.RouteFields) { f.MaxBodySize = size })))
		is.NoErr(err)
	}
	for _, size := range []string{"1m", "2m", "3m", "4m", "5m"} {
		put(size)
	}
	history, err := e.History()
	is.NoErr(err)
	is.Equal(len(history), 3)
	is.True(history[0].StartedAt.After(history[1].StartedAt)) // the newest first

	now = now.Add(2 * time.Hour)
	put("6m")
	history, err = e.History()
	is.NoErr(err)
	is.Equal(len(history), 1)
}

// unchecked routes need nobody to answer.
func unchecked(f *resources.RouteFields) { f.RequireHealthy = new(false) }

func TestADamagedEntryOfTheHistoryIsSkipped(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	res, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
	is.NoErr(err)
	other, err := e.Do(ctx, engine.Put(route(t, "beta", 1, unchecked)))
	is.NoErr(err)
	file := filepath.Join(lab.StateDir, "history", res.ID)
	b, err := os.ReadFile(file)
	is.NoErr(err)
	b[len(b)/3] ^= 1
	is.NoErr(os.WriteFile(file, b, 0o600))

	history, err := e.History()
	is.NoErr(err)
	is.Equal(len(history), 1)
	is.Equal(history[0].ID, other.ID)
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Rollback(res.ID))
	is.True(err != nil)
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	_, err = e.Do(ctx, engine.Rollback("../../etc/passwd"))
	is.True(errors.Is(err, code(engine.NotFound)))
	is.Equal(lab.Tree(), before)
}

func TestARollbackOfWhatChangedSinceIsRefused(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", 1, unchecked)))
	is.NoErr(err)
	res, err := e.Do(ctx, engine.Put(route(t, "alpha", 2, unchecked)))
	is.NoErr(err)
	appendTo(t, lab.SitesAvailable+"/fpai-alpha.conf", "# by hand\n")
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Rollback(res.ID))
	is.True(errors.Is(err, code(engine.StalePlan)))
	is.True(strings.Contains(err.Error(), "fpai-alpha.conf"))
	is.Equal(lab.Tree(), before)
}

func TestARollbackLeavesWhatOtherRoutesShare(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	e := open(t, lab)
	res, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.NoErr(err)
	_, err = e.Do(ctx, engine.Rollback(res.ID)) // the apply that brought the shared files along
	is.NoErr(err)
	got, err := lab.Get("beta.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n")
	_, err = e.Route(ctx, "alpha")
	is.True(errors.Is(err, code(engine.ProxyNotFound)))
}
