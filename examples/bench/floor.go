package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The floor is the least that a tool has to do for one change: write the file durably, have nginx test the whole, signal
// the master, and wait until every new connection is answered by new workers.
func (h *host) floor(path, text string) (time.Duration, error) {
	return timed(func() error {
		if err := writeDurably(path, text); err != nil {
			return err
		}
		if err := h.testConfig(); err != nil {
			return err
		}
		return h.reload()
	})
}

func writeDurably(path, text string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func (h *host) testConfig() error {
	out, err := exec.Command(h.NginxBin, "-c", h.NginxConf, "-t", "-q").CombinedOutput()
	if err != nil {
		return fmt.Errorf("nginx -t: %w: %s", err, out)
	}
	return nil
}

// reload signals the master and returns when all workers that accept are new. It signals the process itself: "nginx -s
// reload" parses the whole configuration once more before it does.
func (h *host) reload() error {
	master := h.MasterPID()
	old := accepting(master)
	if err := syscall.Kill(master, syscall.SIGHUP); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if renewed(old, accepting(master)) {
			return nil
		}
	}
	return errors.New("nginx does not put new workers in charge")
}

func renewed(old, now map[int]bool) bool {
	for pid := range now {
		if old[pid] {
			return false
		}
	}
	return len(now) > 0
}

// rest waits until workers of earlier reloads have ended, so that nobody is measured with their end.
func (h *host) rest() {
	for range 2000 {
		if len(children(h.MasterPID())) == len(accepting(h.MasterPID())) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// accepting returns the workers of an nginx that are not shutting down.
func accepting(master int) map[int]bool {
	workers := map[int]bool{}
	for _, pid := range children(master) {
		title, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err == nil && strings.HasPrefix(string(title), "nginx: worker process") && !strings.Contains(string(title), "shutting down") {
			workers[pid] = true
		}
	}
	return workers
}

func children(pid int) []int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var pids []int
	for _, field := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}
