package facade

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestWhatIsPausedEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		is.Equal(took(func() { is.True(sleep(ctx, time.Second)) }), time.Second)
		is.Equal(took(func() { is.True(!sleep(ctx, time.Hour)) }), time.Minute-time.Second)
	})
}
