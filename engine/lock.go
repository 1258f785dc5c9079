package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A Holder is who has the lock.
type Holder struct {
	PID       int       `json:"pid"`
	Operation string    `json:"operation"`
	Actor     string    `json:"actor"`
	Since     time.Time `json:"since"`
}

func (h Holder) String() string {
	return fmt.Sprintf("pid %d (%s by %s, since %s)", h.PID, h.Operation, h.Actor, h.Since.Format(time.RFC3339))
}

// A lock is the right to write, held across processes. It is a flock(2) on a file that is never replaced or removed, so
// the kernel frees it with its process: there is no stale lock and nothing to break by force.
type lock struct{ file *os.File }

const lockName = "lock"

// acquireLock waits for the lock until ctx ends or timeout has passed; a timeout that is not
// positive tries once.
func acquireLock(ctx context.Context, dir string, timeout time.Duration, holder Holder) (*lock, error) {
	name := filepath.Join(dir, lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, failf(ConfigWriteFailed, err, "open the lock; run as the user that owns %s", dir)
	}
	timeout = max(0, timeout)
	deadline := time.Now().Add(timeout)
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			l := &lock{f}
			l.announce(holder)
			return l, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(failf(ConfigWriteFailed, err, "lock %s", name), f.Close())
		}
		// A blocking flock could not be given up when ctx ends.
		pause := 20*time.Millisecond + rand.N(60*time.Millisecond)
		if left := time.Until(deadline); left <= 0 {
			return nil, errors.Join(lockedError(f, timeout), f.Close())
		} else if pause > left {
			pause = left
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(lockedError(f, timeout), context.Cause(ctx), f.Close())
		case <-time.After(pause):
		}
	}
}

func lockedError(f *os.File, waited time.Duration) *Error {
	e := failf(Locked, nil, "another process is changing this host (waited %s); try again when it is done, or wait longer with --lock-timeout", waited)
	if h, ok := readHolder(f); ok {
		e.Message = fmt.Sprintf("%s is changing this host (waited %s); try again when it is done, or wait longer with --lock-timeout", h, waited)
		e.with("holder", h)
	}
	return e
}

func readHolder(f *os.File) (Holder, bool) {
	b := make([]byte, 4096)
	n, _ := f.ReadAt(b, 0)
	var h Holder
	return h, json.Unmarshal(b[:n], &h) == nil
}

// announce writes who holds the lock, for those who wait. It is no part of the locking, so it may fail.
func (l *lock) announce(h Holder) {
	b, err := json.Marshal(h)
	if err != nil {
		return
	}
	_ = l.file.Truncate(0)
	_, _ = l.file.WriteAt(b, 0)
}

func (l *lock) release() {
	_ = l.file.Truncate(0)
	// Explicitly, not by closing alone: a child between fork and exec may still hold the descriptor.
	_ = syscall.Flock(int(l.file.Fd()), syscall.LOCK_UN)
	_ = l.file.Close()
}
