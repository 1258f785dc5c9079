package facade

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// The bounds of one request, and of all together. The README names them.
const (
	maxBody = 1 << 20 // bytes
	// A saved plan holds the diff of every file: a thousand new routes make about 5 MB.
	maxStateBody = 16 << 20
	// maxResources is of one desired state; maxItems of the steps, changes and fingerprints of a plan, and of whatever else
	// is an object in a body; maxValues of everything in it. Three bytes of JSON can make half a kilobyte in memory.
	maxResources = 12_000
	maxItems     = 250_000
	maxValues    = 2_000_000
	// maxDiffs is how many bytes of diffs a plan is answered with: more than that could not be sent back anyway.
	maxDiffs = 16 << 20
	// maxHeavy is how many requests at a time look at every route and tell of each, one of them at most with the plan of a
	// whole state; maxStates is how many whole states, or plans, of more than smallState bytes are read, wait or are applied.
	// They wait for their turn, but no longer than turnPatience.
	maxHeavy     = 2
	maxStates    = 4
	smallState   = 256 << 10
	turnPatience = 3 * time.Second
	// maxOutgoing is how many bytes of large answers may wait for clients to read them.
	maxOutgoing = 64 << 20
	largeAnswer = 64 << 10
	// maxChanging is how many changes may wait for each other.
	maxChanging = 1000
)

// tooMany refuses a request for the sake of the others.
func tooMany(what string) error {
	return refuse(codes.TooManyRequests, details{"retry_after": 1}, "too many %s at the same time: try again in a moment", what)
}

// A gate lets so many in at a time.
type gate chan struct{}

// enter waits for its turn. Whoever has entered must leave.
func (g gate) enter(ctx context.Context, what string) (leave func(), err error) {
	patience := time.NewTimer(turnPatience)
	defer patience.Stop()
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-patience.C:
		return nil, tooMany(what)
	}
}

// outgoing counts the bytes of large answers that clients have yet to read.
type outgoing struct{ waiting atomic.Int64 }

// enter refuses an answer that would take too much memory beside the others; one alone may be of any size.
func (o *outgoing) enter(size int64) (leave func(), err error) {
	if o == nil || size < largeAnswer {
		return func() {}, nil
	}
	if all := o.waiting.Add(size); all > maxOutgoing && all > size {
		o.waiting.Add(-size)
		return nil, tooMany("large answers are waiting to be read")
	}
	return func() { o.waiting.Add(-size) }, nil
}

// A census is how many values a text of JSON has, be it valid or not.
type census struct {
	values  int
	objects int
	listed  int // objects in the lists of the outermost object: resources, or steps
}

// count looks at brackets and commas alone: it has to be faster, and take less memory, than whatever reads the text after.
func count(b []byte) census {
	var c census
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"':
			quoted = !quoted
		case quoted:
		case b[i] == '{', b[i] == '[':
			c.values++
			if b[i] == '{' {
				c.objects++
				if depth == 2 {
					c.listed++
				}
			}
			depth++
		case b[i] == '}', b[i] == ']':
			depth--
		case b[i] == ',':
			c.values++
		}
	}
	return c
}

// checkSize refuses a body that would become far larger than it is.
func checkSize(b []byte, maxListed int) error {
	c := count(b)
	for _, bound := range []struct {
		n, limit int
		what     string
	}{{c.listed, maxListed, "resources"}, {c.objects, maxItems, "objects"}, {c.values, maxValues, "values"}} {
		if bound.n > bound.limit {
			return refuse(codes.PayloadTooLarge, details{"limit": bound.limit}, "the body has %d %s, and %d are the most that are taken at once", bound.n, bound.what, bound.limit)
		}
	}
	return nil
}
