package cli_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// binary is the program, built once as "make build" builds it.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "proxy-manager-cli")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // other users run it, too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "proxy-manager")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./proxy-manager")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// A host is a lab with the program pointed at it.
type host struct {
	*enginetest.Lab
	t   testing.TB
	env []string
}

func startHost(t testing.TB, o ...enginetest.Options) *host {
	t.Helper()
	lab := enginetest.Start(t, cmp.Or(append(o, enginetest.Options{})...))
	return &host{Lab: lab, t: t, env: append(lab.Env(), "PATH="+os.Getenv("PATH"), "USER=tester")}
}

// An outcome is what one run of the program said and returned.
type outcome struct {
	code           int
	stdout, stderr string
}

// command returns the program with these arguments, not started yet.
func (h *host) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Dir = h.env, h.Dir
	return cmd
}

// run runs the program without a terminal and with nothing to read.
func (h *host) run(args ...string) outcome {
	h.t.Helper()
	return finish(h.t, h.command(args...))
}

func finish(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return outcome{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// must runs the program and fails the test if the exit code is not 0.
func (h *host) must(args ...string) outcome {
	h.t.Helper()
	o := h.run(args...)
	if o.code != 0 {
		h.t.Fatalf("proxy-manager %s: exit %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o
}

// put are the arguments that put a route to an upstream on this host without asking.
func put(name string, port int, more ...string) []string {
	return append([]string{"put", name, "--domain", name + ".example.test", "--upstream-host", "127.0.0.1",
		"--upstream-port", strconv.Itoa(port), "--auto-approve"}, more...)
}

// until waits for something to become true, and fails the test if that takes long.
func (h *host) until(become func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !become(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatal("waited in vain")
		}
	}
}

// applied applies a desired state with one route for each name, to an upstream that it starts, and returns its port.
func (h *host) applied(names ...string) (port int) {
	h.t.Helper()
	port = h.Upstream("alpha").Port()
	h.desire(port, names...)
	h.must("apply", "--auto-approve")
	return port
}

// desire writes a desired state with one route for each name, over HTTP to the upstream's port, and returns its path.
func (h *host) desire(port int, names ...string) string {
	h.t.Helper()
	routes := []map[string]any{}
	for _, name := range names {
		routes = append(routes, map[string]any{
			"droplet_name": name, "domain": name + ".example.test", "upstream_host": "127.0.0.1", "upstream_port": port, "enable_ssl": false,
		})
	}
	b, err := json.Marshal(map[string]any{"routes": routes})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.write("proxies.json", string(b))
}

// write makes a file in the lab's directory.
func (h *host) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// edit adds a line to a site's file, as a person would.
func (h *host) edit(site string) {
	h.t.Helper()
	path := filepath.Join(h.SitesAvailable, site)
	if err := os.WriteFile(path, append(readFile(h.t, path), "# by hand\n"...), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not the JSON that was expected: %v\n%s", err, text)
	}
	return v
}
