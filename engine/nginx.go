package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/hashicorp/go-version"
)

// A server is the nginx that an engine drives: the host's is *nginx. The crash tests put a stand-in there, since no real
// one can read a simulated file system.
type server interface {
	build(ctx context.Context) (*build, error)
	confPath(b *build) string
	test(ctx context.Context) error
	master(pidFile string) (int, error)
	startReload(pidFile, errorLog string) (reload, error)
}

// A reload was asked for. Waiting for it tells whether it has happened.
type reload interface {
	wait(ctx context.Context) error
}

// nginx drives one nginx: its binary, its configuration and its running master process.
type nginx struct {
	bin     string
	conf    string // as given; empty for the binary's own default
	timeout time.Duration

	mu    sync.Mutex
	known *build
	stamp string // of the binary that known describes
}

// A build is what an nginx binary says about itself (nginx -V).
type build struct {
	Version *version.Version
	OpenSSL *version.Version // nil where it was built without
	// The paths compiled in, absolute.
	Conf, Prefix, PIDFile, ErrorLog string
}

var (
	versionLine  = regexp.MustCompile(`nginx version: [^/\s]+/(\d+\.\d+\.\d+)`)
	opensslLine  = regexp.MustCompile(`(?:built|running) with OpenSSL (\d+\.\d+\.\d+)`)
	configArg    = regexp.MustCompile(`--(prefix|conf-path|pid-path|error-log-path)=(\S+)`)
	emergLine    = regexp.MustCompile(`\[(?:emerg|alert|crit)\] (.*) in ([^\s:]+):(\d+)$`)
	pidAndThread = regexp.MustCompile(`^\d+#\d+: `)
)

// build returns what the binary says of itself; it is asked again only when the file has changed.
func (n *nginx) build(ctx context.Context) (*build, error) {
	info, err := os.Stat(n.bin)
	if err != nil {
		return nil, failf(NginxBroken, err, "nginx is not there: install it, or set NGINX_BIN")
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known != nil && n.stamp == stamp {
		return n.known, nil
	}
	out, err := child.Command{Path: n.bin, Args: []string{"-V"}, Timeout: 10 * time.Second}.Run(ctx)
	if err != nil {
		return nil, failf(NginxBroken, err, "ask %s for its version", n.bin)
	}
	b, err := parseBuild(out)
	if err != nil {
		return nil, failf(NginxBroken, err, "ask %s for its version", n.bin)
	}
	n.known, n.stamp = b, stamp
	return b, nil
}

func parseBuild(out string) (*build, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("its answer to -V has no version: %.80q", out)
	}
	v, err := version.NewVersion(m[1])
	if err != nil {
		return nil, err
	}
	b := &build{Version: v, Prefix: "/usr/local/nginx"}
	// "built with OpenSSL a (running with OpenSSL b)": the last one named is the one that runs.
	for _, m := range opensslLine.FindAllStringSubmatch(out, -1) {
		if v, err := version.NewVersion(m[1]); err == nil {
			b.OpenSSL = v
		}
	}
	args := map[string]string{}
	for _, m := range configArg.FindAllStringSubmatch(out, -1) {
		args[m[1]] = m[2]
	}
	if p := args["prefix"]; p != "" {
		b.Prefix = p
	}
	path := func(name, fallback string) string {
		p := args[name]
		if p == "" {
			p = fallback
		}
		if p == "stderr" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(b.Prefix, p)
	}
	b.Conf, b.PIDFile, b.ErrorLog = path("conf-path", "conf/nginx.conf"), path("pid-path", "logs/nginx.pid"), path("error-log-path", "logs/error.log")
	return b, nil
}

// confPath returns the configuration file that this nginx is driven with.
func (n *nginx) confPath(b *build) string {
	if n.conf != "" {
		return n.conf
	}
	return b.Conf
}

func (n *nginx) args(more ...string) []string {
	if n.conf != "" {
		return append([]string{"-c", n.conf}, more...)
	}
	return more
}

// A testError is nginx's refusal of its configuration.
type testError struct {
	Output string
	File   string // the file and line that nginx names, where it does
	Line   int
	Reason string
}

func (e *testError) Error() string {
	if e.File == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// test runs nginx -t. A refusal is a *testError; any other error means that the test could not be made.
func (n *nginx) test(ctx context.Context) error {
	out, err := child.Command{Path: n.bin, Args: n.args("-t", "-q"), Timeout: n.timeout}.Run(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || !child.Exited(err) {
		return err
	}
	return parseTestOutput(out)
}

// parseTestOutput finds the complaint in nginx's words. Its exit code is what counts; the text only explains.
func parseTestOutput(out string) *testError {
	e := &testError{Output: strings.TrimSpace(out), Reason: "nginx refuses the configuration"}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if m := emergLine.FindStringSubmatch(line); m != nil {
			e.Reason, e.File = pidAndThread.ReplaceAllString(m[1], ""), m[2]
			e.Line, _ = strconv.Atoi(m[3])
			return e
		}
		for _, level := range []string{"[emerg] ", "[alert] ", "[crit] "} {
			if _, msg, ok := strings.Cut(line, level); ok {
				e.Reason = pidAndThread.ReplaceAllString(msg, "")
			}
		}
	}
	return e
}

// errNotRunning is in the chain where there is no master process to reload.
var errNotRunning = errors.New("nginx is not running")

// master returns the pid of the running master process that the pid file names.
func master(pidFile string) (int, error) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNotRunning, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%w: %s does not hold a pid", errNotRunning, pidFile)
	}
	// A pid file outlives a killed master, and its pid may by now be anybody's: never signal on its word alone.
	if title := processTitle(pid); !strings.HasPrefix(title, "nginx: master process") {
		return 0, fmt.Errorf("%w: %s names pid %d, which is no nginx master", errNotRunning, pidFile, pid)
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

// workers are the master's worker processes: those that accept, and those that only finish what they have.
type workers struct {
	accepting map[int]bool
	draining  []int
}

// lingering returns how many workers have been draining for longer than clients without a request are given. A worker
// drains from when the next ones were started.
func (w workers) lingering(now time.Time) int {
	var starts []time.Time
	for _, pid := range slices.AppendSeq(slices.Clone(w.draining), maps.Keys(w.accepting)) {
		if t, ok := startOf(pid); ok && now.Sub(t) > lingerTime {
			starts = append(starts, t)
		}
	}
	n := 0
	for _, pid := range w.draining {
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

func workersOf(master int) (workers, error) {
	pids, err := childrenOf(master)
	if err != nil {
		return workers{}, err
	}
	return classify(pids), nil
}

// childrenOf returns the pids of a process's children, as the kernel writes them: in order, with spaces between.
func childrenOf(pid int) (string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	return string(b), err
}

func classify(children string) workers {
	w := workers{accepting: map[int]bool{}}
	for _, field := range strings.Fields(children) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			continue
		}
		switch title := processTitle(pid); {
		case strings.HasPrefix(title, "nginx: worker process is shutting down"):
			w.draining = append(w.draining, pid)
		case strings.HasPrefix(title, "nginx: worker process"):
			w.accepting[pid] = true
		}
	}
	return w
}

// A reloading is a reload that was asked for and is not yet known to have happened.
type reloading struct {
	master   int
	children string // all of the master's, when it was asked
	old      map[int]bool
	errorLog string
	offset   int64
	patience time.Duration
}

func (n *nginx) master(pidFile string) (int, error) { return master(pidFile) }

// startReload asks the master to load the configuration.
func (n *nginx) startReload(pidFile, errorLog string) (reload, error) {
	pid, err := master(pidFile)
	if err != nil {
		return nil, err
	}
	children, err := childrenOf(pid)
	if err != nil {
		return nil, fmt.Errorf("look at the workers of nginx (pid %d): %w", pid, err)
	}
	r := &reloading{master: pid, children: children, old: classify(children).accepting, errorLog: errorLog, patience: n.timeout}
	if info, err := os.Stat(errorLog); err == nil {
		r.offset = info.Size()
	}
	// SIGHUP, not "nginx -s reload": that parses the whole configuration once more before it signals.
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return nil, fmt.Errorf("signal nginx (pid %d): %w", pid, err)
	}
	return r, nil
}

// wait returns once every new connection is answered by the new configuration: new workers run and no old one accepts.
// nginx keeps the old configuration without a word to anybody but its log when it can't use the new one.
func (r *reloading) wait(ctx context.Context) error {
	start := time.Now()
	deadline := start.Add(r.patience)
	var logCheck time.Time
	for {
		children, err := childrenOf(r.master)
		if err != nil {
			return fmt.Errorf("nginx (pid %d) ended while it was reloading: %w", r.master, err)
		}
		// While the master parses, its children are the same: one small read, and no look at each of them.
		if children != r.children && r.settled(classify(children)) {
			return nil
		}
		if now := time.Now(); now.After(logCheck) {
			if line := r.complaint(); line != "" {
				return fmt.Errorf("nginx kept its old configuration: %s", line)
			}
			if now.After(deadline) {
				return fmt.Errorf("nginx (pid %d) did not put new workers in charge within %s", r.master, r.patience)
			}
			logCheck = now.Add(20 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		// Looking takes CPU away from nginx: a two hundredth of the wait is exact enough.
		case <-time.After(max(time.Millisecond, time.Since(start)/200)):
		}
	}
}

func (r *reloading) settled(w workers) bool {
	fresh := 0
	for pid := range w.accepting {
		if r.old[pid] {
			return false
		}
		fresh++
	}
	return fresh > 0
}

// complaint returns the master's own complaint in the error log since the reload was asked for. "bind() … failed" is
// tried five times before it is final, so only what nginx says last counts.
func (r *reloading) complaint() string {
	f, err := os.Open(r.errorLog)
	if err != nil {
		return ""
	}
	defer f.Close()
	if _, err := f.Seek(r.offset, io.SeekStart); err != nil {
		return ""
	}
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return ""
	}
	who := fmt.Sprintf(" %d#", r.master)
	var bind string
	for line := range strings.Lines(string(b)) {
		_, msg, ok := strings.Cut(line, "[emerg]")
		if !ok || !strings.HasPrefix(msg, who) {
			continue
		}
		if _, text, ok := strings.Cut(strings.TrimSpace(msg), ": "); ok {
			msg = text
		}
		switch {
		case strings.Contains(msg, "still could not bind"):
			if bind != "" {
				return bind
			}
			return msg
		case strings.HasPrefix(msg, "bind() to "):
			bind = msg
		default:
			return msg
		}
	}
	return ""
}
