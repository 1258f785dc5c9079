package acme

import (
	"testing"
	"time"

	"github.com/matryer/is"
)

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestAYearOfFailuresAsksTheCAHardlyMoreThanOnceADay(t *testing.T) {
	is := is.New(t)
	now, end := newYear, newYear.AddDate(1, 0, 0)
	var a Attempt
	var hour []time.Time // the attempts of the last hour
	asked := 0
	for ; now.Before(end); now = now.Add(time.Minute) { // the program looks every minute
		if now.Before(a.Allowed(false)) {
			continue
		}
		a = a.failed(now, "fpai-shop", &Failure{Reason: Connection})
		asked++
		hour = append(hour, now)
		for now.Sub(hour[0]) > time.Hour {
			hour = hour[1:]
		}
		is.True(len(hour) <= 5) // Let's Encrypt's limit of failures per name and hour
	}
	is.True(asked > 300 && asked <= 369) // asked every day, and not more
	is.Equal(a.Failures, asked)
	is.True(asked < 1152) // where Let's Encrypt pauses a name for good
}

func TestThePausesGrowToADayAndThenDriftApart(t *testing.T) {
	is := is.New(t)
	for failures, want := range map[int]time.Duration{1: time.Minute, 2: 10 * time.Minute, 3: 100 * time.Minute} {
		is.Equal(pause(failures, "fpai-shop"), want)
	}
	for _, failures := range []int{4, 5, 1000} {
		p := pause(failures, "fpai-shop")
		is.True(p >= 24*time.Hour && p < 25*time.Hour)
		is.Equal(p, pause(4, "fpai-shop")) // each certificate at its own minute, every day
	}
	is.True(pause(4, "fpai-shop") != pause(4, "fpai-blog"))
}

func TestWhoMayAskAgainAndWhen(t *testing.T) {
	failed := func(times int, f Failure) Attempt {
		var a Attempt
		for range times {
			a = a.failed(newYear, "fpai-shop", &f)
		}
		return a
	}
	daily := pause(5, "fpai-shop")
	limited := failed(5, Failure{Reason: DNS}).failed(newYear, "fpai-shop", &Failure{Reason: RateLimited, RetryAt: newYear.Add(48 * time.Hour)})
	for _, c := range []struct {
		name                  string
		a                     Attempt
		next, byItself, asked time.Duration
	}{
		{"once in vain: somebody may have mended it", failed(1, Failure{Reason: DNS}), time.Minute, time.Minute, 0},
		{"five times in vain: the program waits a day, nobody else does", failed(5, Failure{Reason: DNS}), daily, daily, 0},
		{"the CA's word is final", limited, 48 * time.Hour, 48 * time.Hour, 48 * time.Hour},
		{"and outlives further failures", limited.failed(newYear, "fpai-shop", &Failure{Reason: DNS}), 48 * time.Hour, 48 * time.Hour, 48 * time.Hour},
		{"a word that is sooner than the pause", failed(5, Failure{Reason: RateLimited, RetryAt: newYear.Add(time.Hour)}), daily, daily, time.Hour},
		{"found without the CA: it costs nothing to ask", failed(1, Failure{Reason: DNS, Local: true}), time.Minute, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			since := func(at time.Time) time.Duration { return max(0, at.Sub(newYear)) }
			is.Equal(since(c.a.Next), c.next)
			is.Equal(since(c.a.Allowed(false)), c.byItself)
			is.Equal(since(c.a.Allowed(true)), c.asked)
		})
	}
	is := is.New(t)
	is.True(Attempt{}.Allowed(false).IsZero()) // what never failed may be asked for
}
