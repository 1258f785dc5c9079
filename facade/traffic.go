package facade

import (
	"sync"
	"time"
)

// traffic remembers the requests of the last hour, second by second.
type traffic struct {
	now func() time.Time

	mu      sync.Mutex
	total   int64
	seconds [3600]second
}

type second struct {
	at       int64 // Unix time: the slot is used again an hour later
	requests int
	errors   int // answers of 500 and above
	took     time.Duration
}

// recent is what traffic was like lately.
type recent struct {
	Total          int64
	ErrorsLastHour int
	PerMinute      float64       // in the last minute
	Average        time.Duration // in the last hour, as is
	ErrorRate      float64       // in percent
}

func newTraffic(now func() time.Time) *traffic { return &traffic{now: now} }

func (t *traffic) count(status int, took time.Duration) {
	at := t.now().Unix()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	slot := &t.seconds[at%int64(len(t.seconds))]
	if slot.at != at {
		*slot = second{at: at}
	}
	slot.requests++
	slot.took += took
	if status >= 500 {
		slot.errors++
	}
}

func (t *traffic) recent() recent {
	now := t.now().Unix()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := recent{Total: t.total}
	var requests int
	var took time.Duration
	for _, s := range t.seconds {
		age := now - s.at
		if age < 0 || age >= int64(len(t.seconds)) {
			continue
		}
		requests += s.requests
		r.ErrorsLastHour += s.errors
		took += s.took
		if age < 60 {
			r.PerMinute += float64(s.requests)
		}
	}
	if requests > 0 {
		r.Average = took / time.Duration(requests)
		r.ErrorRate = 100 * float64(r.ErrorsLastHour) / float64(requests)
	}
	return r
}
