package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

// waiting takes a lock in one directory twice: at once, and then with so much patience. It returns how long that took,
// by a clock on which waiting takes no time.
func waiting(t *testing.T, ctx context.Context, patience, held time.Duration) (waited time.Duration, err error) {
	t.Helper()
	is := is.New(t)
	dir := t.TempDir()
	first, err := acquireLock(t.Context(), dir, 0, Holder{PID: 1, Operation: "apply", Actor: "somebody"})
	is.NoErr(err)
	if held > 0 {
		time.AfterFunc(held, first.release)
	} else {
		defer first.release()
	}
	begun := time.Now()
	second, err := acquireLock(ctx, dir, patience, Holder{})
	waited = time.Since(begun)
	if err == nil {
		second.release()
	}
	return waited, err
}

func TestTheLockIsWaitedForAsLongAsItIsHeldAndNotLongerThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		waited, err := waiting(t, t.Context(), 10*time.Minute, 5*time.Minute)
		is.NoErr(err)
		is.True(waited >= 5*time.Minute && waited < 5*time.Minute+100*time.Millisecond) // soon after it is free

		waited, err = waiting(t, t.Context(), 10*time.Minute, 0)
		is.Equal(CodeOf(err), Locked)
		is.Equal(waited, 10*time.Minute)

		for _, once := range []time.Duration{0, -1} {
			waited, err = waiting(t, t.Context(), once, 0)
			is.Equal(CodeOf(err), Locked)
			is.Equal(waited, time.Duration(0))
		}

		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, enough)
		defer cancel()
		waited, err = waiting(t, ctx, 10*time.Minute, 0)
		is.Equal(CodeOf(err), Locked)
		is.True(errors.Is(err, enough))
		is.Equal(waited, time.Minute)
	})
}
