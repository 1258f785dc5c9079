package nginx

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/matryer/is"
)

// nobody is a pid that no process has: the kernel's are below it.
const nobody = 1 << 22

// titled starts a process that is listed under a title, as nginx's are, and returns its pid.
func titled(t *testing.T, title string) int {
	t.Helper()
	cmd := &exec.Cmd{Path: "/bin/sleep", Args: []string{title, "300"}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

const (
	masterTitle   = "nginx: master process /usr/sbin/nginx"
	workerTitle   = "nginx: worker process"
	drainingTitle = "nginx: worker process is shutting down"
)

func TestOnlyARunningMasterIsBelieved(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	n := New("nginx", "", 0)
	file := filepath.Join(t.TempDir(), "nginx.pid")
	_, err := n.Master(file)
	is.True(errors.Is(err, ErrNotRunning)) // no file
	for _, text := range map[string]string{
		"empty": "", "no number": "nginx\n", "init": "1\n", "a group": "-5\n", "nobody": strconv.Itoa(nobody),
		"somebody else, who was given the pid": strconv.Itoa(os.Getpid()),
		"a worker":                             strconv.Itoa(titled(t, workerTitle)),
	} {
		is.NoErr(os.WriteFile(file, []byte(text), 0o644))
		_, err := n.Master(file)
		is.True(errors.Is(err, ErrNotRunning)) // text
		_, err = n.StartReload(t.Context(), Paths{PIDFile: file})
		is.True(errors.Is(err, ErrNotRunning)) // and is not signalled
	}
	master := titled(t, masterTitle)
	is.NoErr(os.WriteFile(file, fmt.Appendln(nil, master), 0o644))
	pid, err := n.Master(file)
	is.NoErr(err)
	is.Equal(pid, master)
}

func TestWorkersAreToldByTheirTitles(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	draining, cache, accepting := titled(t, drainingTitle), titled(t, "nginx: cache manager process"), titled(t, workerTitle)
	w := classify(fmt.Sprintln(draining, cache, accepting, nobody, "nonsense"))
	is.Equal(w, Workers{Accepting: map[int]bool{accepting: true}, Draining: []int{draining}})
	is.Equal(classify(""), Workers{Accepting: map[int]bool{}})
	w, err := WorkersOf(titled(t, masterTitle))
	is.NoErr(err)
	is.Equal(w, Workers{Accepting: map[int]bool{}})
	_, err = WorkersOf(nobody)
	is.True(err != nil)
}

func TestAWorkerLingersOnceTheNextOnesHaveServedForLongerThanIdleClientsAreGiven(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	w := Workers{Draining: []int{titled(t, drainingTitle)}, Accepting: map[int]bool{}}
	is.Equal(w.Lingering(time.Now().Add(time.Hour)), 0) // none has followed it
	time.Sleep(3 * generation)
	w.Accepting[titled(t, workerTitle)] = true
	is.Equal(w.Lingering(time.Now()), 0) // not yet
	is.Equal(w.Lingering(time.Now().Add(lingerTime+2*time.Second)), 1)
	w.Draining = append(w.Draining, nobody)
	is.Equal(w.Lingering(time.Now().Add(time.Hour)), 1) // one that has just ended does not count
}

func TestNginxWasLoadedWhenItsOldestWorkerWasStarted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	before := time.Now()
	first := titled(t, workerTitle)
	w := Workers{Accepting: map[int]bool{first: true}}
	at := w.Started()
	is.True(at.After(before.Add(-2*time.Second)) && at.Before(time.Now().Add(2*time.Second))) // the kernel tells its boot by the second
	time.Sleep(50 * time.Millisecond)
	w.Accepting[titled(t, workerTitle)] = true
	is.Equal(w.Started(), at)
	w.Accepting[nobody] = true
	is.True(w.Started().IsZero()) // not known
	is.True(Workers{}.Started().IsZero())
}
