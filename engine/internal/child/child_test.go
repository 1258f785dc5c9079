package child_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/matryer/is"
)

// shell is a child that runs a script.
func shell(script string) child.Command {
	return child.Command{Path: "/bin/sh", Args: []string{"-c", script}, Timeout: time.Minute}
}

func TestBothStreamsAreReturnedInOrder(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	out, err := shell("echo one; echo two >&2; echo three").Run(t.Context())
	is.NoErr(err)
	is.Equal(out, "one\ntwo\nthree\n")
}

func TestOnlyTheEndOfALongOutputIsKept(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	out, err := shell("yes 0123456 | head -n 20000; echo the end").Run(t.Context())
	is.NoErr(err)
	is.True(strings.HasPrefix(out, "[…]")) // and says that something is missing
	is.True(strings.HasSuffix(out, "0123456\nthe end\n"))
	is.Equal(len(strings.TrimPrefix(out, "[…]")), 64<<10)
}

func TestArgumentsAreNoShellsAndTheEnvironmentIsWhatIsGiven(t *testing.T) {
	is := is.New(t)
	t.Setenv("CHILD_TEST_SECRET", "secret")
	out, err := child.Command{Path: "/bin/echo", Args: []string{"$HOME;", "*"}, Timeout: time.Minute}.Run(t.Context())
	is.NoErr(err)
	is.Equal(out, "$HOME; *\n")
	look := shell(`echo "$CHILD_TEST_SECRET"`)
	out, err = look.Run(t.Context())
	is.NoErr(err)
	is.Equal(out, "secret\n") // the parent's, where none is given
	look.Env = []string{"OTHER=1"}
	out, err = look.Run(t.Context())
	is.NoErr(err)
	is.Equal(out, "\n")
}

func TestHowAChildEndedCanBeTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command child.Command
		exited  bool
		output  string
		text    string
	}{
		"it refuses":         {shell("echo no; exit 3"), true, "no\n", "/bin/sh: exit status 3"},
		"it is killed":       {shell("echo well; kill -KILL $$"), false, "well\n", "/bin/sh: signal: killed"},
		"it is not there":    {child.Command{Path: "/nowhere/nginx", Timeout: time.Minute}, false, "", "/nowhere/nginx: fork/exec /nowhere/nginx: no such file or directory"},
		"it is no program":   {child.Command{Path: "/dev/null", Timeout: time.Minute}, false, "", "/dev/null: fork/exec /dev/null: permission denied"},
		"it has no time":     {child.Command{Path: "/bin/echo"}, false, "", "/bin/echo: context deadline exceeded"},
		"it takes too long ": {child.Command{Path: "/bin/sleep", Args: []string{"300"}, Timeout: 50 * time.Millisecond}, false, "", "/bin/sleep: not done within 50ms: context deadline exceeded\nsignal: terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			out, err := c.command.Run(t.Context())
			is.True(err != nil)
			is.Equal(child.Exited(err), c.exited)
			is.Equal(out, c.output)
			is.Equal(child.Output(err), c.output) // also for who has only the error
			is.Equal(err.Error(), c.text)
		})
	}
	is := is.New(t)
	is.Equal(child.Output(errors.New("of somebody else")), "")
}

func TestAChildThatTakesTooLongIsEndedWithAllThatItStarted(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"it obeys":      "sleep 300 & echo $!; wait",
		"it is deaf":    "trap '' TERM; sleep 300 & echo $!; wait; wait; wait",
		"it is already": "sleep 300 & echo $!", // its child has its output open
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			c := shell(script)
			c.Timeout = 200 * time.Millisecond
			begun := time.Now()
			out, err := c.Run(t.Context())
			is.True(errors.Is(err, context.DeadlineExceeded))
			is.True(!child.Exited(err))
			is.True(time.Since(begun) < 20*time.Second) // the two seconds of grace, and some
			pid, err := strconv.Atoi(strings.TrimSpace(out))
			is.NoErr(err)
			for deadline := time.Now().Add(10 * time.Second); running(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("process %d, which the child started, still runs", pid)
				}
			}
		})
	}
}

// running reports whether the process runs; one that only waits to be reaped does not.
func running(pid int) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return len(b) > 0 && syscall.Kill(pid, 0) == nil
}

func TestWhoeverGivesUpIsToldWhy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
	_, err := shell("sleep 300").Run(ctx)
	is.True(errors.Is(err, enough))
	is.True(!child.Exited(err))
	is.True(!strings.Contains(err.Error(), "not done within"))
}
