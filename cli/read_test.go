package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestASignalEndsTheWaitForAFileThatNeverComes(t *testing.T) {
	is := is.New(t)
	name := filepath.Join(t.TempDir(), "fifo")
	is.NoErr(syscall.Mkfifo(name, 0o600))
	cmd := exec.Command(binary, "validate", "-f", name)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	is.NoErr(cmd.Start())
	writer, err := os.OpenFile(name, os.O_WRONLY, 0) // waits until the program reads
	is.NoErr(err)
	defer writer.Close()
	giveUp := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer giveUp.Stop()
	is.NoErr(cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait() // its exit code is the result
	is.Equal(cmd.ProcessState.ExitCode(), 1)
	is.True(strings.Contains(stderr.String(), "interrupt"))
}
