package facade

import (
	"context"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// renew makes a change that the engine's maintenance asks for as one that a client asks for: with an id of its own, logged,
// counted, and waited for by Drain.
func (s *Server) renew(ctx context.Context, req engine.Request) (*engine.Result, error) {
	return s.do(context.WithValue(ctx, callKey{}, &call{id: s.opts.NewID(), actor: "renewal"}), req)
}
