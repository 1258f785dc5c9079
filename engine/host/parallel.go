package host

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Readers is how many files are read side by side: reading is system calls, so more than cores helps little.
var Readers = runtime.GOMAXPROCS(0) + 1

// ForEach calls f for 0 to n-1 on at most workers goroutines and returns the errors, in order, joined. If f panics, ForEach
// does, once all workers have ended: with a [*Panic] where f ran on another goroutine than the caller's.
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
	var caught atomic.Pointer[Panic]
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					caught.CompareAndSwap(nil, &Panic{p, debug.Stack()})
				}
			}()
			for i := int(next.Add(1)) - 1; i < n && caught.Load() == nil; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	if p := caught.Load(); p != nil {
		panic(p)
	}
	return errors.Join(errs...)
}

// A Panic is a panic of one goroutine that goes on in another, where somebody may recover from it.
type Panic struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (p *Panic) String() string { return fmt.Sprint(p.Value) }
