package host

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Readers is how many files are read side by side: reading is system calls, so more than cores helps little.
var Readers = runtime.GOMAXPROCS(0) + 1

// ForEach calls f for 0 to n-1 on at most workers goroutines and returns the errors, in order, joined.
func ForEach(n, workers int, f func(i int) error) error {
	if workers > n {
		workers = n
	}
	errs := make([]error, n)
	if workers <= 1 {
		for i := range n {
			errs[i] = f(i)
		}
		return errors.Join(errs...)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
