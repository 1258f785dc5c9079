package nginx

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNotRunning is in the chain where there is no master process to reload.
var ErrNotRunning = errors.New("nginx is not running")

// Master returns the pid of the running master process that the pid file names.
func (n *Nginx) Master(pidFile string) (int, error) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%w: %s does not hold a pid", ErrNotRunning, pidFile)
	}
	// A pid file outlives a killed master, and its pid may by now be anybody's: never signal on its word alone.
	if title := processTitle(pid); !strings.HasPrefix(title, "nginx: master process") {
		return 0, fmt.Errorf("%w: %s names pid %d, which is no nginx master", ErrNotRunning, pidFile, pid)
	}
	return pid, nil
}

func processTitle(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))), " ")
}

// Workers are the master's worker processes: those that accept, and those that only finish what they have.
type Workers struct {
	Accepting map[int]bool
	Draining  []int
}

// Lingering returns how many workers have been draining for longer than clients without a request are given. A worker
// drains from when the next ones were started.
func (w Workers) Lingering(now time.Time) int {
	var starts []time.Time
	for _, pid := range slices.AppendSeq(slices.Clone(w.Draining), maps.Keys(w.Accepting)) {
		if t, ok := startOf(pid); ok && now.Sub(t) > lingerTime {
			starts = append(starts, t)
		}
	}
	n := 0
	for _, pid := range w.Draining {
		own, ok := startOf(pid)
		if ok && slices.ContainsFunc(starts, func(t time.Time) bool { return t.Sub(own) > generation }) {
			n++
		}
	}
	return n
}

const (
	// lingerTime is more than the second of keepalive_min_timeout and the second by which start times may be wrong.
	lingerTime = 3 * time.Second
	// generation is the least time between the workers of one reload and those of the next.
	generation = 50 * time.Millisecond
)

// WorkersOf returns the workers of a master.
func WorkersOf(master int) (Workers, error) {
	pids, err := childrenOf(master)
	if err != nil {
		return Workers{}, err
	}
	return classify(pids), nil
}

// childrenOf returns the pids of a process's children, as the kernel writes them: in order, with spaces between.
func childrenOf(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	return string(b), err
}

func classify(children string) Workers {
	w := Workers{Accepting: map[int]bool{}}
	for _, field := range strings.Fields(children) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		switch title := processTitle(pid); {
		case strings.HasPrefix(title, "nginx: worker process is shutting down"):
			w.Draining = append(w.Draining, pid)
		case strings.HasPrefix(title, "nginx: worker process"):
			w.Accepting[pid] = true
		}
	}
	return w
}

// Started is when the oldest worker that accepts was started: when nginx last loaded its configuration. If that is not
// known, it is the beginning of time.
func (w Workers) Started() time.Time {
	var oldest time.Time
	for pid := range w.Accepting {
		t, ok := startOf(pid)
		if !ok {
			return time.Time{}
		}
		if oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	return oldest
}

// clockTicks is how many of the kernel's clock ticks a second has, as proc(5) counts them: 100 on every architecture of
// Linux that Go runs on.
const clockTicks = 100

// startOf returns when a process was started, to a hundredth of a second.
func startOf(pid int) (time.Time, bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return time.Time{}, false
	}
	// The command's name is in parentheses and may hold anything; the start is field 22, the 20th behind it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	boot, ok := bootTime()
	if err != nil || !ok {
		return time.Time{}, false
	}
	return boot.Add(time.Duration(ticks) * time.Second / clockTicks), true
}

// bootTime returns when the host was started.
func bootTime() (time.Time, bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, false
	}
	for line := range strings.Lines(string(b)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return time.Unix(seconds, 0).UTC(), err == nil
		}
	}
	return time.Time{}, false
}
