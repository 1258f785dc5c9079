// Package child runs child processes: an argv and never a shell, a timeout, and a bound on what is kept of the output.
package child

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// maxOutput bounds what is kept of a child's output, in bytes: enough for nginx's complaints about a thousand routes.
const maxOutput = 64 << 10

// A Command is a child process: an argv, never a shell.
type Command struct {
	Path    string
	Args    []string
	Env     []string // nil: as the parent's
	Timeout time.Duration
}

// An Error says how a child ended, with what it printed.
type Error struct {
	Path   string
	Output string
	Err    error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Run runs the command to its end and returns stdout and stderr together, in order. When ctx ends or the timeout passes,
// the child's whole process group is told to end, and what is left of it after two seconds is killed.
func (c Command) Run(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = c.Env
	out := &tail{max: maxOutput}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second // then the child itself is killed
	err := cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what is left of its group
		err = errors.Join(context.Cause(ctx), err)
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("not done within %s: %w", c.Timeout, err)
		}
	}
	return out.String(), &Error{Path: c.Path, Output: out.String(), Err: err}
}

// A tail keeps the last bytes written to it.
type tail struct {
	max int
	buf []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf, t.cut = append(t.buf[:0], t.buf[over:]...), true
	}
	return len(p), nil
}

func (t *tail) String() string {
	if t.cut {
		return "[…]" + string(t.buf)
	}
	return string(t.buf)
}

// Exited reports whether a child ended by itself, with an exit code other than 0: what it printed is its answer.
func Exited(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.Exited()
}

// Output returns what the child printed that an error is of, or "".
func Output(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Output
	}
	return ""
}
