package facade

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// survive does f and makes an error of a panic in it. Whatever runs on a goroutine of the server's own is done by it, since
// nobody else is there to keep a panic from ending the process.
func (s *Server) survive(ctx context.Context, f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(ctx, p)
		}
	}()
	f()
	return nil
}

// panicked logs a panic, with the stack that it came from, and returns what to answer for it.
func (s *Server) panicked(ctx context.Context, p any) error {
	stack := debug.Stack()
	if elsewhere, ok := p.(*host.Panic); ok {
		stack = elsewhere.Stack
	}
	s.log.ErrorContext(ctx, "panic", "error_code", engine.Internal, "error", fmt.Sprint(p), "stack", string(stack))
	return errors.New("panic")
}

// loopPause is how long a background loop that has panicked rests.
const loopPause = time.Minute

// keepRunning does f, which ends with ctx, and begins it again if it panics.
func (s *Server) keepRunning(ctx context.Context, f func(context.Context)) {
	for s.survive(ctx, func() { f(ctx) }) != nil && sleep(ctx, loopPause) {
	}
}
