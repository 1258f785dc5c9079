package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// A report is what wrk says of one run.
type report struct {
	rate    float64 // requests per second
	p99     float64 // seconds
	total   int     // requests
	broken  int     // connections on which reading ended early
	refused int     // failed connections, writes and answers: timeouts, and statuses other than 2xx and 3xx
	text    string
}

var (
	rateLine   = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99Line    = regexp.MustCompile(`(?m)^\s+99%\s+([\d.]+)(us|ms|s|m)`)
	totalLine  = regexp.MustCompile(`(\d+) requests in`)
	socketLine = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	statusLine = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk loads a URL for a while, with a Host header and more of one's own.
func wrk(ctx context.Context, url string, d time.Duration, connections int, headers ...string) (report, error) {
	if d < time.Second {
		d = time.Second // the least that wrk takes
	}
	args := []string{"--latency", "-t2", "-c", strconv.Itoa(connections), "-d", fmt.Sprintf("%.0fs", d.Seconds())}
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	out, err := exec.CommandContext(ctx, "wrk", append(args, url)...).CombinedOutput()
	if err != nil {
		return report{}, fmt.Errorf("wrk (Debian's package wrk): %w: %s", err, out)
	}
	l := report{text: string(out), rate: float(rateLine, out), p99: latency(out), total: int(float(totalLine, out)), refused: int(float(statusLine, out))}
	if m := socketLine.FindSubmatch(out); m != nil {
		var counts [4]int // connect, read, write, timeout
		for i := range counts {
			counts[i], _ = strconv.Atoi(string(m[i+1]))
		}
		l.broken = counts[1]
		l.refused += counts[0] + counts[2] + counts[3]
	}
	if l.rate == 0 {
		return l, fmt.Errorf("wrk reports nothing: %s", out)
	}
	return l, nil
}

func float(line *regexp.Regexp, out []byte) float64 {
	m := line.FindSubmatch(out)
	if m == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(m[1]), 64)
	return f
}

func latency(out []byte) float64 {
	m := p99Line.FindSubmatch(out)
	if m == nil {
		return 0
	}
	f, _ := strconv.ParseFloat(string(m[1]), 64)
	return f * map[string]float64{"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[string(m[2])]
}
