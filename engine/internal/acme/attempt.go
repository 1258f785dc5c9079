package acme

import (
	"hash/fnv"
	"time"
)

// A CA counts failures, by name and account, and shuts out whoever goes on failing: Let's Encrypt allows five an hour,
// refilled by one every twelve minutes, and pauses a name for good after 1,152 in a row. So every failure is remembered
// across restarts, and the pauses grow as Let's Encrypt asks in its integration guide.
var pauses = [...]time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour}

// refill is how long a CA takes to forget one failure. A person who has mended what was wrong and insists waits no
// longer than that.
const refill = 12 * time.Minute

// An Attempt is what is remembered of a certificate that could not be had. The zero value is that of one that never failed.
type Attempt struct {
	Failures int       `json:"failures"` // in a row
	At       time.Time `json:"at"`
	Reason   Reason    `json:"reason"`
	Error    string    `json:"error"`
	// Next is when the program tries again by itself.
	Next time.Time `json:"next"`
	// Until is when the CA is ready to be asked again, by its own word; nobody's insisting brings that forward.
	Until time.Time `json:"until,omitzero"`
	// Asked: the CA was asked. What failed before that cost nothing, so anybody may try again at once.
	Asked bool `json:"asked"`
}

// Allowed returns the earliest time at which somebody who asks may have the CA asked. Insisting is who asks for this
// certificate by name, and not because it is due.
func (a Attempt) Allowed(insisting bool) time.Time {
	var t time.Time
	if a.Asked {
		t = a.Next
		if early := a.At.Add(refill); insisting && early.Before(t) {
			t = early
		}
	}
	if a.Until.After(t) {
		t = a.Until
	}
	return t
}

// failed returns what is to be remembered once an attempt for a lineage has failed again.
func (a Attempt) failed(now time.Time, lineage string, f *Failure) Attempt {
	next := Attempt{
		Failures: a.Failures + 1, At: now, Reason: f.Reason, Error: f.Error(), Until: f.RetryAt, Asked: !f.Local,
	}
	if a.Until.After(next.Until) {
		next.Until = a.Until
	}
	next.Next = now.Add(pause(next.Failures, lineage))
	if next.Until.After(next.Next) {
		next.Next = next.Until
	}
	return next
}

// pause returns how long to wait after so many failures. The daily ones drift, by each certificate's own minutes, so that
// a CA that was down is not asked by everybody in the same second.
func pause(failures int, lineage string) time.Duration {
	p := pauses[min(failures, len(pauses))-1]
	if p == pauses[len(pauses)-1] {
		h := fnv.New32a()
		h.Write([]byte(lineage))
		p += time.Duration(h.Sum32()%3600) * time.Second
	}
	return p
}
