package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestOldWorkersThatPileUpAreReported(t *testing.T) {
	var warnings []string
	is, h := begin(t, enginetest.Options{Workers: 2}, func(o *engine.Options) {
		o.OnEvent = func(ev engine.Event) {
			if ev.Type == engine.Warning {
				warnings = append(warnings, ev.Message)
			}
		}
	})
	h.put(h.route("alpha"))
	// Each WebSocket keeps one worker of its generation alive; with two of them there is one reload's worth, and the next
	// reload adds to it.
	for i := range 3 {
		ws, err := h.DialWebSocket("ws://alpha.example.test/ws")
		is.NoErr(err)
		defer ws.Close()
		_, err = ws.Echo("hello") // it is really open
		is.NoErr(err)
		h.settleWorkers(i)
		is.Equal(len(warnings), 0)
		if i == 2 {
			time.Sleep(4 * time.Second) // those that end by themselves have done so
		}
		h.put(h.route("alpha", withAliases(fmt.Sprintf("a%d.example.test", i))))
	}
	is.Equal(len(warnings), 1)
	is.True(strings.HasPrefix(warnings[0], "2 old workers"))
	h.settleWorkers(3)
	is.Equal(h.Nginx(t.Context()).Draining, 3)
}

// settleWorkers waits until only so many old workers are left: those without a connection end at once, as soon as the
// machine has the time, and those with a WebSocket stay.
func (h *realHost) settleWorkers(left int) {
	h.t.Helper()
	enginetest.Until(h.t, 30*time.Second, fmt.Sprintf("no more than %d old workers are left", left), func() bool {
		return h.Nginx(h.t.Context()).Draining <= left
	})
}
