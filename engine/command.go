package engine

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

// A command is a child process: an argv, never a shell.
type command struct {
	path    string
	args    []string
	env     []string // nil: as the parent's
	timeout time.Duration
}

// A commandError says how a child ended, with what it printed.
type commandError struct {
	Path   string
	Output string
	Err    error
}

func (e *commandError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *commandError) Unwrap() error { return e.Err }

// run runs the command to its end and returns stdout and stderr together, in order. When ctx ends or the timeout passes,
// the child's whole process group is told to end, and what is left of it after two seconds is killed.
func (c command) run(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = c.env
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
			err = fmt.Errorf("not done within %s: %w", c.timeout, err)
		}
	}
	return out.String(), &commandError{Path: c.path, Output: out.String(), Err: err}
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
