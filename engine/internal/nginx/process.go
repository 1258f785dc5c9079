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
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
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
	if !isMaster(pid) {
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

// A Generation is what a running nginx has loaded, by when: a reload brings another, and so do a restart and an upgrade.
type Generation struct {
	// Key is the same as long as the workers are; empty where the kernel does not tell.
	Key string
	// Since is a time by which the workers had loaded what they have.
	Since time.Time
}

// tick is how much later than the kernel says a process may have been started.
const tick = time.Second / clockTicks

// Generation returns that of the nginx whose pid file it is. Without a running one the error has [ErrNotRunning] in its chain.
func (n *Nginx) Generation(pidFile string) (Generation, error) {
	master, err := n.Master(pidFile)
	if err != nil {
		return Generation{}, err
	}
	w, err := WorkersOf(master)
	since := w.Started()
	born, ok := startOf(master)
	if err != nil || since.IsZero() || !ok {
		return Generation{}, nil
	}
	pids := slices.Sorted(maps.Keys(w.Accepting))
	return Generation{
		// Rounded, since the time of the boot is only as exact as two clocks are together.
		Key:   fmt.Sprintf("%d %d %d", master, since.Sub(born).Round(time.Second/4).Milliseconds(), pids[0]),
		Since: since.Add(tick),
	}, nil
}

// clockTicks is how many of the kernel's clock ticks a second has, as proc(5) counts them: 100 on every architecture of
// Linux that Go runs on.
const clockTicks = 100

// statOf returns what proc(5) has in a process's stat behind the command's name, which is in parentheses and may hold
// anything: its state first, and its start, field 22, as the 20th.
func statOf(pid int) []string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
}

// startOf returns when a process was started, to a hundredth of a second.
func startOf(pid int) (time.Time, bool) {
	fields := statOf(pid)
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

// clockBoot is CLOCK_BOOTTIME of clock_gettime(2), by which the kernel tells when a process was started.
const clockBoot = 7

// lastBoot is what bootTime has returned last, in nanoseconds since 1970.
var lastBoot atomic.Int64

// bootTime returns when the host was started: exact to what passes between two looks at two clocks, and the same as before
// unless somebody has set the clock. The kernel's own word for it, btime in proc(5), is in whole seconds.
func bootTime() (time.Time, bool) {
	var up syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockBoot, uintptr(unsafe.Pointer(&up)), 0); errno != 0 {
		return time.Time{}, false
	}
	boot := time.Now().UnixNano() - up.Nano()
	const noise = int64(2 * time.Millisecond)
	if last := lastBoot.Load(); last != 0 && last-noise < boot && boot < last+noise {
		return time.Unix(0, last), true
	}
	lastBoot.Store(boot)
	return time.Unix(0, boot), true
}

// Idle reports whether a master has nothing to do: it waits for a signal in sigsuspend(2). One that reads its configuration,
// starts workers or puts others to rest does not. Where the kernel does not tell, known is false.
func Idle(master int) (idle, known bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(master) + "/syscall")
	if err != nil {
		return false, false
	}
	call, _, _ := strings.Cut(string(b), " ")
	return call == strconv.Itoa(syscall.SYS_RT_SIGSUSPEND), true
}

// Other returns the second master where there are two: between the signals USR2 and QUIT of a binary upgrade both accept
// connections, each with the configuration that it has loaded, and only one of them is told of a reload. It is 0 where there
// is one master alone.
func Other(pidFile string, master int) int {
	if b, err := os.ReadFile(pidFile + ".oldbin"); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && pid != master && isMaster(pid) {
			return pid
		}
	}
	// The new one is a child of the old one. A child of the one in the pid file tells nothing: a worker that has just been
	// forked looks like its master.
	if parent := parentOf(master); parent > 1 && isMaster(parent) {
		return parent
	}
	return 0
}

func isMaster(pid int) bool { return strings.HasPrefix(processTitle(pid), "nginx: master process") }

// parentOf returns the pid of a process's parent; 0 if it is not known.
func parentOf(pid int) int {
	fields := statOf(pid)
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// WorkersUser returns the user and group that a master's accepting workers run as.
func WorkersUser(master int) (uid, gid uint32, ok bool) {
	w, err := WorkersOf(master)
	if err != nil {
		return 0, 0, false
	}
	for pid := range w.Accepting {
		if info, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				return st.Uid, st.Gid, true
			}
		}
	}
	return 0, 0, false
}
