package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	startTimeout = 30 * time.Second // generous: both cores may be compiling
	stopTimeout  = 5 * time.Second
	pollInterval = 5 * time.Millisecond
)

// A keeper ends what a lab started, however this program ends: a panic, a timeout, kill -9.
//
// It is a shell that waits for the end of its standard input. The kernel closes our end of that pipe when we die, and
// the shell then removes the lab's directory and kills its process group, in which every process of the lab is.
// PR_SET_PDEATHSIG would not do: it fires when the thread that forked ends, which the Go runtime may do at any time,
// it reaches the child alone and not nginx's workers, and it leaves the directory.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

const keeperScript = `read -r line
[ -z "$1" ] || rm -rf -- "$1"
kill -KILL 0`

func startKeeper(dir string, remove bool) (*keeper, error) {
	if !remove {
		dir = ""
	}
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "enginetest", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &keeper{cmd: cmd, stdin: stdin}, nil
}

// close removes the directory and ends what still runs, the same way as after our death.
func (k *keeper) close() {
	k.stdin.Close()
	_ = k.cmd.Wait() // always an error: it kills itself with its group
}

// A process is one part of the lab that runs outside this program.
type process struct {
	name string
	log  string // its standard output and error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// spawn starts a program in the keeper's process group, its output appended to logs/NAME.log.
func (l *Lab) spawn(name string, env []string, bin string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(l.Dir, "logs", name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(bin, args...)
	p.cmd.Dir = "/"
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: l.keeper.cmd.Process.Pid}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ready waits until check succeeds. If the process ends first or time runs out, the error has the end of its log.
func (p *process) ready(check func() error) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := check()
		switch {
		case err == nil:
			return nil
		case p.ended():
			return fmt.Errorf("%s ended while starting (%v): %s", p.name, p.cmd.ProcessState, tail(p.log))
		case time.Now().After(deadline):
			return fmt.Errorf("%s is not ready after %v: %w\n%s", p.name, startTimeout, err, tail(p.log))
		}
		time.Sleep(pollInterval)
	}
}

// stop asks the process to end, and after a while makes it. A nil or ended process is stopped already.
func (p *process) stop() error {
	if p == nil || p.ended() {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s did not end within %v of SIGTERM and was killed", p.name, stopTimeout)
}

// Until waits until fact is true. If it is not within so long, the test fails, and says what was waited for: a fact in
// words, such as "the route is served".
func Until(t testing.TB, long time.Duration, what string, fact func() bool) {
	t.Helper()
	if !until(long, fact) {
		t.Fatalf("waited %v in vain until %s", long, what)
	}
}

// until polls fact and reports whether it became true in time.
func until(timeout time.Duration, fact func() bool) bool {
	for deadline := time.Now().Add(timeout); !fact(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// cmdline returns the command line (for nginx: the title) of a process, with spaces between the arguments. It is empty
// for one that is gone or only waits to be reaped.
func cmdline(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
}

// children returns the pids of a process's children, none if it is gone.
func children(pid int) (pids []int) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, f := range strings.Fields(string(b)) {
		var child int
		if _, err := fmt.Sscan(f, &child); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// tail returns the last lines of a log, for an error message.
func tail(path string) string {
	const lines = 10
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "(no log)"
	}
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
