package engine

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// guarded returns what f returns, or, if f panics, an error that says so: what callers bring, such as step kinds,
// resources and listeners, must not end a process in the middle of a change. Where it happened is logged.
func guarded(log *slog.Logger, what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			if elsewhere, ok := p.(*host.Panic); ok {
				stack = elsewhere.Stack
			}
			log.Error(what+" panicked", "panic", fmt.Sprint(p), "stack", string(stack))
			err = failf(Internal, nil, "%s panicked: %v", what, p)
		}
	}()
	return f()
}
