package cli

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// A stream is an output that remembers whether all of it could be written.
type stream struct {
	w io.Writer

	mu     sync.Mutex
	lost   error
	closed func(error) // told once nobody reads any more
}

// A lostError is why output could not be written.
type lostError struct{ err error }

func (e *lostError) Error() string { return "output is lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

func (s *stream) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err == nil {
		return n, nil
	}
	err = &lostError{err}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = err
	}
	if s.closed != nil && isClosed(err) {
		s.closed(errUnread)
	}
	return n, err
}

// errUnread ends an apply whose output went to a pipe.
var errUnread = errors.New("nobody reads the output any more")

func isClosed(err error) bool { return errors.Is(err, syscall.EPIPE) }

// whyLost returns why something was not written; nil if all was.
func (s *stream) whyLost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// onClosed has a function told once nobody reads any more.
func (s *stream) onClosed(told func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = told
}
