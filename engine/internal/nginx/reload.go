package nginx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// A Reload was asked for. Waiting for it tells whether it has happened.
type Reload interface {
	Wait(ctx context.Context) error
}

// A reloading is a reload that was asked for and is not yet known to have happened.
type reloading struct {
	master   int
	children string // all of the master's, when it was asked
	old      map[int]bool
	errorLog string
	offset   int64
	patience time.Duration
}

// ErrKept is in the chain of a reload that nginx did not go through with: it serves what it served before.
var ErrKept = errors.New("nginx kept its old configuration")

// ErrTwoMasters is in the chain while an upgrade of nginx's binary is under way: the old master and the new one both answer.
var ErrTwoMasters = errors.New("two nginx masters are running: an upgrade of its binary is under way")

// StartReload asks the master to load the configuration. What it has loaded once that is over was read after this call
// began: if the master is still at work for somebody else's reload, that is waited for first.
func (n *Nginx) StartReload(ctx context.Context, p Paths) (Reload, error) {
	pid, err := n.Master(p.PIDFile)
	if err != nil {
		return nil, err
	}
	if other := Other(p.PIDFile, pid); other != 0 {
		return nil, fmt.Errorf("%w (pids %d and %d)", ErrTwoMasters, other, pid)
	}
	if err := n.awaitIdle(ctx, pid); err != nil {
		return nil, err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return nil, fmt.Errorf("look at the workers of nginx (pid %d): %w", pid, err)
	}
	r := &reloading{master: pid, children: children, old: classify(children).Accepting, errorLog: p.ErrorLog, patience: n.timeout}
	if info, err := os.Stat(p.ErrorLog); err == nil {
		r.offset = info.Size()
	}
	// SIGHUP, not "nginx -s reload": that parses the whole configuration once more before it signals.
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return nil, fmt.Errorf("signal nginx (pid %d): %w", pid, err)
	}
	return r, nil
}

// awaitIdle returns once the master waits for signals, or the kernel does not tell.
func (n *Nginx) awaitIdle(ctx context.Context, master int) error {
	for deadline := time.Now().Add(n.timeout); ; {
		if idle, known := Idle(master); idle || !known {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("nginx (pid %d) was busy for %s, with somebody else's reload perhaps", master, n.timeout)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Millisecond):
		}
	}
}

// Wait returns once every new connection is answered by the new configuration: new workers run and no old one accepts.
// nginx keeps the old configuration without a word to anybody but its log when it can't use the new one.
func (r *reloading) Wait(ctx context.Context) error {
	start := time.Now()
	deadline := start.Add(r.patience)
	var logCheck time.Time
	for {
		children, err := childrenOf(r.master)
		if err != nil {
			return fmt.Errorf("nginx (pid %d) ended while it was reloading: %w", r.master, err)
		}
		// While the master parses, its children are the same: one small read, and no look at each of them.
		if children != r.children && r.settled(classify(children)) {
			return nil
		}
		if now := time.Now(); now.After(logCheck) {
			if line := r.complaint(); line != "" {
				return fmt.Errorf("%w: %s", ErrKept, line)
			}
			if now.After(deadline) {
				return fmt.Errorf("nginx (pid %d) did not put new workers in charge within %s", r.master, r.patience)
			}
			logCheck = now.Add(20 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		// Looking takes CPU away from nginx: a two hundredth of the wait is exact enough.
		case <-time.After(max(time.Millisecond, time.Since(start)/200)):
		}
	}
}

func (r *reloading) settled(w Workers) bool {
	fresh := 0
	for pid := range w.Accepting {
		if r.old[pid] {
			return false
		}
		fresh++
	}
	return fresh > 0
}

// complaint returns the master's own complaint in the error log since the reload was asked for. "bind() … failed" is
// tried five times before it is final, so only what nginx says last counts.
func (r *reloading) complaint() string {
	f, err := os.Open(r.errorLog)
	if err != nil {
		return ""
	}
	defer f.Close()
	if _, err := f.Seek(r.offset, io.SeekStart); err != nil {
		return ""
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return ""
	}
	who := fmt.Sprintf(" %d#", r.master)
	var bind string
	for line := range strings.Lines(string(b)) {
		_, msg, ok := strings.Cut(line, "[emerg]")
		if !ok || !strings.HasPrefix(msg, who) {
			continue
		}
		if _, text, ok := strings.Cut(strings.TrimSpace(msg), ": "); ok {
			msg = text
		}
		switch {
		case strings.Contains(msg, "still could not bind"):
			if bind != "" {
				return bind
			}
			return msg
		case strings.HasPrefix(msg, "bind() to "):
			bind = msg
		default:
			return msg
		}
	}
	return ""
}
