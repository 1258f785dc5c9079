package facade

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// firstRenewal is when certificates are looked at for the first time: not at once, since a host that has just started
// may not reach its CA yet, and not as late as the next regular time, since it may have been down for long.
const firstRenewal = time.Minute

// keepRenewing has certificates renewed that are due, and has nginx load those that somebody else has renewed.
func (s *Server) keepRenewing(ctx context.Context) {
	for pause := min(firstRenewal, s.opts.RenewInterval); sleep(ctx, pause); pause = s.opts.RenewInterval {
		job := context.WithValue(ctx, callKey{}, &call{id: s.opts.NewID(), actor: "renewal"})
		// A failure has been logged and counted; the engine itself decides when the CA may be asked again.
		_, _ = s.do(engine.WithActor(job, "renewal"), engine.RenewDue())
	}
}
