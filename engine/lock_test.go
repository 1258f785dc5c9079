package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestTheLockNamesItsHolderAndDiesWithIt(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.State.LockTimeout = 150 * time.Millisecond })
	c := childOf(h)
	c.Hold = true
	p := start(t, c)
	is.True(p.lines.Scan()) // it is in the middle of its apply
	is.Equal(p.lines.Text(), "held")

	begun := time.Now()
	_, err := h.Do(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.Locked)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	is.True(time.Since(begun) >= 150*time.Millisecond) // it waited
	is.True(time.Since(begun) < 30*time.Second)        // and not for ever
	var failure *engine.Error
	is.True(errors.As(err, &failure))
	holder, ok := failure.Details["holder"].(engine.Holder)
	is.True(ok)
	is.Equal(holder.PID, p.cmd.Process.Pid)
	is.Equal(holder.Actor, "somebody else")
	is.True(strings.Contains(err.Error(), "somebody else"))

	_, err = h.Routes(t.Context()) // reading needs no lock
	is.NoErr(err)
	_, err = h.Plan(t.Context(), engine.Put(h.route("alpha")))
	is.NoErr(err)

	p.kill()
	h.put(h.route("alpha")) // nobody had to break a lock
}

func TestAContextEndsTheWaitForTheLock(t *testing.T) {
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) { o.State.LockTimeout = time.Minute })
	c := childOf(h)
	c.Hold = true
	p := start(t, c)
	is.True(p.lines.Scan())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := h.Recover(ctx)
	is.True(errors.Is(err, code(engine.Locked)))
}
