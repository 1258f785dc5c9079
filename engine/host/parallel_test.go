package host

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/matryer/is"
)

func TestAPanicOfAWorkerIsThatOfItsCaller(t *testing.T) {
	for _, workers := range []int{1, 2, 8} {
		is := is.New(t)
		var begun, ended atomic.Int32
		caught := func() (p any) {
			defer func() { p = recover() }()
			return ForEach(8, workers, func(i int) error {
				begun.Add(1)
				defer ended.Add(1)
				if i == 1 {
					outOfOrder()
				}
				return nil
			})
		}()
		if workers == 1 {
			is.Equal(caught, "out of order")
		} else {
			p, ok := caught.(*Panic)
			is.True(ok)
			is.Equal(p.String(), "out of order")
			is.True(strings.Contains(string(p.Stack), "outOfOrder")) // where it was
		}
		is.Equal(begun.Load(), ended.Load()) // nobody is left at work
	}
}

func outOfOrder() { panic("out of order") }

func TestTheErrorsOfAllWorkersComeInOrder(t *testing.T) {
	is := is.New(t)
	err := ForEach(5, 3, func(i int) error {
		if i%2 == 0 {
			return nil
		}
		return errors.New(strings.Repeat("x", i))
	})
	is.Equal(err.Error(), "x\nxxx")
	is.NoErr(ForEach(0, 3, func(int) error { return errors.New("never") }))
}
