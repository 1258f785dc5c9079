package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

func TestTheLockNamesItsHolderAndDiesWithIt(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	port := lab.Upstream("up").Port()
	c := childOf(lab)
	c.Hold, c.Port = true, port
	p := start(t, c)
	is.True(p.lines.Scan()) // it is in the middle of its apply
	is.Equal(p.lines.Text(), "held")

	e := open(t, lab, func(o *engine.Options) { o.State.LockTimeout = 150 * time.Millisecond })
	begun := time.Now()
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", port)))
	is.True(errors.Is(err, code(engine.Locked)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	is.True(time.Since(begun) >= 150*time.Millisecond) // it waited
	is.True(time.Since(begun) < 5*time.Second)         // and not for ever
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	holder, ok := failure.Details["holder"].(engine.Holder)
	is.True(ok)
	is.Equal(holder.PID, p.cmd.Process.Pid)
	is.Equal(holder.Actor, "somebody else")
	is.True(strings.Contains(err.Error(), "somebody else"))

	_, err = e.Routes(ctx) // reading needs no lock
	is.NoErr(err)
	_, err = e.Plan(ctx, engine.Put(route(t, "alpha", port)))
	is.NoErr(err)

	p.kill()
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", port)))
	is.NoErr(err) // nobody had to break a lock
}

func TestAContextEndsTheWaitForTheLock(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	c := childOf(lab)
	c.Hold, c.Port = true, 1
	p := start(t, c)
	is.True(p.lines.Scan())
	e := open(t, lab, func(o *engine.Options) { o.State.LockTimeout = time.Minute })
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err := e.Recover(ctx)
	is.True(errors.Is(err, code(engine.Locked)))
}
