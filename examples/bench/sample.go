package main

import (
	"slices"
	"time"
)

// samples are measurements of one thing, in the order in which they were made: seconds, or any other unit.
type samples []float64

func (s *samples) add(d time.Duration) { *s = append(*s, d.Seconds()) }

func (s samples) sorted() samples { return slices.Sorted(slices.Values(s)) }

func (s samples) median() float64 {
	if len(s) == 0 {
		return 0
	}
	o := s.sorted()
	return (o[(len(o)-1)/2] + o[len(o)/2]) / 2
}

func (s samples) min() float64 { return slices.Min(s) }
func (s samples) max() float64 { return slices.Max(s) }

// ratios divides what was measured in the same round, so that a slow minute of the machine hits both.
func ratios(a, b samples) samples {
	r := make(samples, min(len(a), len(b)))
	for i := range r {
		r[i] = a[i] / b[i]
	}
	return r
}

// means are the means of what was measured in the same round.
func means(a, b samples) samples {
	m := make(samples, min(len(a), len(b)))
	for i := range m {
		m[i] = (a[i] + b[i]) / 2
	}
	return m
}

// timed returns how long f took.
func timed(f func() error) (time.Duration, error) {
	start := time.Now()
	err := f()
	return time.Since(start), err
}

// interleave does each of fs once a round, in turn, and returns the durations of each. The order is reversed in every
// second round: what one leaves behind in caches must not always hit the same other one.
func interleave(rounds int, fs ...func() (time.Duration, error)) ([]samples, error) {
	all := make([]samples, len(fs))
	for round := range rounds {
		for k := range fs {
			i := k
			if round%2 == 1 {
				i = len(fs) - 1 - k
			}
			d, err := fs[i]()
			if err != nil {
				return nil, err
			}
			all[i].add(d)
		}
	}
	return all, nil
}
