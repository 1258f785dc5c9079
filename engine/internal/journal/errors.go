package journal

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrDamaged is in the chain where a journal can't be trusted.
	ErrDamaged = errors.New("the journal is damaged")
	// ErrUncertain is in the chain where a record could be neither written nor taken back, so that nobody knows what a
	// later reader will find.
	ErrUncertain = errors.New("the journal could be neither written nor put back")
)

// A ChangedError says that somebody else changed a path since the plan was made.
type ChangedError struct{ Path string }

func (e *ChangedError) Error() string {
	return e.Path + " was changed by somebody else meanwhile"
}

// A ReadError is a read that failed.
type ReadError struct{ Err error }

func (e *ReadError) Error() string { return e.Err.Error() }
func (e *ReadError) Unwrap() error { return e.Err }

// A WriteError is a write of the journal itself that failed.
type WriteError struct{ Err error }

func (e *WriteError) Error() string { return "write the journal: " + e.Err.Error() }
func (e *WriteError) Unwrap() error { return e.Err }

// An UnknownKindsError says that a journal can't be undone by this program, since it holds steps of kinds that another
// brought. Nothing was changed.
type UnknownKindsError struct {
	ID      string // of the apply
	Kinds   []string
	Program string // that did the steps; empty in journals of version 0.1
}

func (e *UnknownKindsError) Error() string {
	program := "the program that did it"
	if e.Program != "" {
		program += ", " + e.Program
	}
	return fmt.Sprintf("apply %s has steps of kinds that this program does not know (%s): recover with %s", e.ID, strings.Join(e.Kinds, ", "), program)
}
