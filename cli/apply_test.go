package cli_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestASavedPlanDoesWhatItShowed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	shown := h.must("plan", "--out", "plan.json").stdout
	info, err := os.Stat(filepath.Join(h.Dir, "plan.json"))
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600)) // diffs show configurations
	is.Equal(h.must("show", "plan.json").stdout, shown)
	is.Equal(h.must("plan", "--json").stdout, string(readFile(t, filepath.Join(h.Dir, "plan.json"))))
	is.True(strings.Contains(shown, "Plan: 3 to add, 0 to change, 0 to destroy."))
	h.must("apply", "plan.json", "--auto-approve")
	got, err := h.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n")
}

func TestPatchMakesOfAPlansDiffsWhatApplyWrites(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha", "gone")
	h.desire(port, "alpha", "beta")
	state := strings.Replace(string(readFile(t, filepath.Join(h.Dir, "proxies.json"))), `"domain":"alpha`, `"max_body_size":"7m","domain":"alpha`, 1)
	h.write("proxies.json", state)

	p := decode[plan.Plan](t, h.must("plan", "--json").stdout)
	copied := t.TempDir()
	for _, s := range p.Steps {
		if s.Kind == plan.WriteFile || s.Kind == plan.RemoveFile {
			patch(t, copied, s)
		}
	}
	h.must("apply", "--auto-approve")
	for _, s := range p.Steps {
		switch s.Kind {
		case plan.WriteFile:
			is.Equal(string(readFile(t, filepath.Join(copied, s.Path))), string(readFile(t, s.Path)))
		case plan.RemoveFile:
			_, err := os.Lstat(filepath.Join(copied, s.Path))
			is.True(os.IsNotExist(err))
		}
	}
	is.Equal(p.Summary, plan.Summary{Create: 1, Update: 1, Delete: 1, Unchanged: 2})
}

// patch applies a step's diff to a copy of its file below dir.
func patch(t *testing.T, dir string, s plan.Step) {
	t.Helper()
	to := filepath.Join(dir, s.Path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(s.Path); err == nil {
		if err := os.WriteFile(to, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("patch", "-p1", "-d", dir)
	cmd.Stdin = strings.NewReader(s.Diff)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("patch: %v\n%s\n%s", err, out, s.Diff)
	}
}

func TestADryRunShowsThePlanAndChangesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	h.desire(port, "alpha")
	before := h.Tree()
	is.Equal(h.must("apply", "--dry-run").stdout, h.must("plan").stdout)
	h.must(put("beta", port, "--dry-run")...)
	p := decode[plan.Plan](t, h.must(put("beta", port, "--dry-run", "--json")...).stdout)
	is.Equal(p.Summary.Create, 3)
	is.Equal(h.Tree().Diff(before), "")
	entries, err := os.ReadDir(h.StateDir)
	is.NoErr(err)
	is.Equal(len(entries), 0) // not even the state directory
}

func TestQuietSaysOnlyHowItEnded(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	got := h.must("apply", "-q", "--auto-approve")
	is.Equal(got.stdout, "Apply complete! 3 added, 0 changed, 0 destroyed.\n")
	is.Equal(got.stderr, "")
}

func TestApplyWithJSONTellsEveryStepOnALineOfItsOwn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	lines := jsonLines(t, h.must("apply", "--auto-approve", "--json").stdout)
	is.Equal(lines[0]["type"], "version")
	last := lines[len(lines)-1]
	is.Equal(last["type"], "summary")
	is.Equal(last["summary"].(map[string]any)["create"], float64(3)) // the route, and the two files that routes share
	done := 0
	for _, l := range lines {
		if l["type"] == "step_done" {
			done++
		}
	}
	is.True(done >= 4) // write, link, test, reload at least

	refused := h.run("apply", "--json", "-f", h.desire(h.FreePort(), "alpha", "beta"), "--auto-approve") // nobody answers there
	is.Equal(refused.code, 1)
	lines = jsonLines(t, refused.stdout)
	last = lines[len(lines)-1]
	is.Equal(last["type"], "error")
	is.Equal(last["code"], "UPSTREAM_UNHEALTHY")
	is.Equal(last["exit_code"], float64(1))
}

func jsonLines(t *testing.T, text string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		var v map[string]any
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatalf("%v: %s", err, s.Text())
		}
		lines = append(lines, v)
	}
	if len(lines) < 2 {
		t.Fatalf("too few lines: %s", text)
	}
	return lines
}

func TestTheDesiredStateComesFromStandardInputToo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	name := h.desire(h.Upstream("alpha").Port(), "alpha")
	cmd := h.command("apply", "--auto-approve", "-f", "-")
	cmd.Stdin = strings.NewReader(string(readFile(t, name)))
	got := finish(t, cmd)
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, "3 added"))
}

func TestTargetsAndKeepUnlistedLimitWhatIsChanged(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.applied("alpha", "beta"), "gamma")
	is.True(strings.Contains(h.must("plan").stdout, "Plan: 1 to add, 0 to change, 2 to destroy."))
	is.True(strings.Contains(h.must("plan", "--keep-unlisted").stdout, "Plan: 1 to add, 0 to change, 0 to destroy."))
	is.True(strings.Contains(h.must("plan", "--target", "route.alpha", "--target=route.gamma").stdout, "Plan: 1 to add, 0 to change, 1 to destroy."))
	is.True(strings.Contains(h.must("plan", "--destroy").stdout, "Plan: 0 to add, 0 to change, 4 to destroy."))
	h.must("destroy", "--auto-approve")
	is.Equal(h.must("list", "--json").stdout, "[]\n")
}

// A signal must end in exactly the state before or exactly the state after, whichever step it comes at.
func TestASignalInTheMiddleOfAnApplyLeavesBeforeOrAfter(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	small := string(readFile(t, h.desire(port, "alpha")))
	large := string(readFile(t, h.desire(port, "alpha", "beta", "gamma")))
	apply := func(state string) enginetest.Tree {
		h.write("proxies.json", state)
		h.must("apply", "--auto-approve")
		return h.Tree()
	}
	after, before := apply(large), apply(small)
	h.write("proxies.json", large)

	for _, kind := range []string{plan.CheckHealth, plan.WriteFile, plan.CreateSymlink, plan.TestConfig, plan.Reload} {
		switch code := h.interrupt(kind, syscall.SIGINT, io.Discard); code {
		case 1, 3:
			is.Equal(h.Tree().Diff(before), "") // it failed, so nothing of it is left
			is.True(code == 3 || kind == plan.CheckHealth)
		case 0:
			is.Equal(h.Tree().Diff(after), "")
			apply(small)
			h.write("proxies.json", large)
		default:
			t.Fatalf("exit %d", code)
		}
	}
}

// interrupt applies, sends a signal as soon as a step of this kind has begun, and returns the exit code.
func (h *host) interrupt(kind string, signal os.Signal, stderr io.Writer) int {
	h.t.Helper()
	cmd := h.command("apply", "--auto-approve", "--json")
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	sent := false
	for s := bufio.NewScanner(events); s.Scan(); {
		if !sent && strings.Contains(s.Text(), `"kind":"`+kind+`"`) {
			sent = cmd.Process.Signal(signal) == nil
		}
	}
	_ = cmd.Wait() // its exit code is the result
	if !sent {
		h.t.Fatalf("no step of kind %s was told", kind)
	}
	return cmd.ProcessState.ExitCode()
}

func TestCtrlCInAHealthCheckIsToldAsAnInterruptionAndNotAsATimeOut(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	is.NoErr(err)
	defer silent.Close()
	h.env = append(h.env, "HEALTH_CHECK_TIMEOUT_MS=60000")
	h.desire(silent.Addr().(*net.TCPAddr).Port, "alpha")
	before := h.Tree()
	var stderr strings.Builder
	cmd := h.command("apply", "--auto-approve")
	cmd.Stderr = &stderr
	is.NoErr(cmd.Start())
	asked, err := silent.Accept()
	is.NoErr(err)
	defer asked.Close()
	is.NoErr(cmd.Process.Signal(syscall.SIGINT))
	_ = cmd.Wait() // its exit code is the result
	code := cmd.ProcessState.ExitCode()
	is.Equal(code, 1)
	is.True(strings.Contains(stderr.String(), "interrupt"))
	is.True(!strings.Contains(stderr.String(), "did not answer"))
	is.True(!strings.Contains(stderr.String(), "UPSTREAM_UNHEALTHY"))
	is.Equal(h.Tree().Diff(before), "")
}

func TestOfTwoJobsAtTheSameTimeBothSucceed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	var jobs []*exec.Cmd
	for _, name := range []string{"alpha", "beta", "gamma"} {
		jobs = append(jobs, h.command(put(name, port, "--enable-ssl=false", "--lock-timeout", "60s")...))
	}
	for _, job := range jobs {
		is.NoErr(job.Start())
	}
	for _, job := range jobs {
		is.NoErr(job.Wait())
	}
	is.Equal(len(decode[[]any](t, h.must("list", "--json").stdout)), 3)
}
