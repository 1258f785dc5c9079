package engine

import (
	"os"
	"strconv"
	"strings"
	"time"
)

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
