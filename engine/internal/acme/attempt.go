package acme

import (
	"hash/fnv"
	"time"
)

// A CA counts failures, by name and account, and shuts out whoever goes on failing: Let's Encrypt allows five an hour,
// refilled by one every twelve minutes, and pauses a name for good after 1,152 in a row. So every failure is remembered
// across restarts, and the pauses grow as Let's Encrypt asks in its integration guide.
var pauses = [...]time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute, 24 * time.Hour}

// An Attempt is what is remembered of a certificate that could not be had. The zero value is that of one that never failed.
type Attempt struct {
	Failures int       `json:"failures"` // in a row
	At       time.Time `json:"at"`
	Reason   Reason    `json:"reason"`
	Error    string    `json:"error"`
	// Next is when the program tries again by itself.
	Next time.Time `json:"next"`
	// Until is when the CA is ready to be asked again, by its own word; nobody brings that forward.
	Until time.Time `json:"until,omitzero"`
	// Asked: the CA was asked. What failed before that cost nothing, so it may be tried again at once.
	Asked bool `json:"asked"`
}

// Allowed returns the earliest time at which the CA may be asked. The pauses are for a program that tries by itself. Asked for
// is what somebody wants now: they may have mended what was wrong, and only the CA itself can hold them up.
func (a Attempt) Allowed(askedFor bool) time.Time {
	if askedFor || !a.Asked || a.Until.After(a.Next) {
		return a.Until
	}
	return a.Next
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
