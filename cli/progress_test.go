package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

func TestAStepThatTakesLongIsSaidToRunStillNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		is := is.New(t)
		var said strings.Builder
		step := plan.Step{ID: "1", Kind: plan.IssueCertificate, Description: "obtain a certificate"}
		r := &progress{p: &program{Streams: Streams{Err: &said}}, plan: &plan.Plan{}, total: 1, slow: map[string]*time.Timer{}}
		stillRuns := func() int {
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			return strings.Count(said.String(), "still running")
		}
		r.event(engine.Event{Type: engine.StepStarted, Step: &step})
		time.Sleep(slowAfter - time.Millisecond)
		is.Equal(stillRuns(), 0)
		time.Sleep(time.Millisecond)
		is.Equal(stillRuns(), 1)
		time.Sleep(10 * slowAfter)
		is.Equal(stillRuns(), 3)
		r.event(engine.Event{Type: engine.StepDone, Step: &step, Duration: 22 * time.Second})
		time.Sleep(time.Hour)
		is.Equal(stillRuns(), 3) // it does no longer
		is.True(strings.HasSuffix(said.String(), "[1/1] obtain a certificate: done, 22s\n"))
	})
}
