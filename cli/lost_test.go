package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

// intoNothing runs the program with a stdout that is full.
func (h *host) intoNothing(args ...string) outcome {
	h.t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	defer full.Close()
	cmd := h.command(args...)
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = full, &stderr
	_ = cmd.Run() // its exit code is the result
	return outcome{code: cmd.ProcessState.ExitCode(), stderr: stderr.String()}
}

func TestWhatWasDoneExits0AlsoIfItsOutputWasLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	for _, args := range [][]string{
		{"apply", "--quiet", "--auto-approve", "-f", h.desire(port, "alpha")},
		put("beta", port, "--enable-ssl=false"),
		put("gamma", port, "--enable-ssl=false", "--json"),
		put("gamma", port, "--enable-ssl=false"), // nothing is left to do
		{"delete", "beta", "--auto-approve"},
		{"recover", "--json"},
	} {
		got := h.intoNothing(args...)
		is.Equal(got.code, 0)
		is.True(strings.Contains(got.stderr, "Warning: it is done"))
		is.True(strings.Contains(got.stderr, "no space left"))
		is.True(!strings.Contains(got.stderr, "Error:"))
	}
	is.Equal(names(h), []string{"alpha", "gamma"})

	before := h.Tree()
	is.Equal(h.intoNothing(put("down", h.FreePort(), "--enable-ssl=false")...).code, 1) // it failed, and says so
	is.Equal(h.intoNothing("apply", "--auto-approve", "--dry-run").code, 1)             // it only says something
	is.Equal(h.Tree().Diff(before), "")
}

func names(h *host) []string {
	var list []string
	for _, r := range decode[[]struct {
		Name string `json:"droplet_name"`
	}](h.t, h.must("list", "--json").stdout) {
		list = append(list, r.Name)
	}
	return list
}

func TestWhatOnlySaysSomethingFailsIfThatIsLost(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	h.desire(port, "alpha", "beta")
	h.must("plan", "--out", "plan.json")
	for _, args := range []string{
		"plan", "plan --json", "plan --out -", "plan --detailed-exitcode", "show plan.json", "validate", "validate --json", "list", "list --json",
		"get alpha", "get alpha --json", "drift", "drift --json", "history", "history --json", "health", "config", "config --json", "schema",
		"version", "completion bash", "man", "recover --dry-run", "--help", "plan --help",
	} {
		got := h.intoNothing(strings.Fields(args)...)
		if got.code != 1 || !strings.Contains(got.stderr, "output is lost") {
			t.Errorf("%s: exit %d: %s", args, got.code, got.stderr)
		}
	}
	// A reader that has had enough is none to complain to.
	cmd := exec.Command("bash", "-c", "set -o pipefail; "+binary+" config --json | head -1")
	got := finish(t, cmd)
	is.Equal(got.stdout, "[\n")
	is.Equal(got.stderr, "")
}

// cutOff applies, reads until a step of this kind has begun, and then closes the pipe as head(1) does.
func (h *host) cutOff(kind string) (code int, stderr string) {
	h.t.Helper()
	cmd := h.command("apply", "--auto-approve", "--json")
	var said strings.Builder
	cmd.Stderr = &said
	events, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	for s := bufio.NewScanner(events); s.Scan(); {
		if strings.Contains(s.Text(), `"kind":"`+kind+`"`) {
			break
		}
	}
	_ = events.Close()
	_ = cmd.Wait() // its exit code is the result
	return cmd.ProcessState.ExitCode(), said.String()
}

func TestAClosedPipeOrALostSessionEndsAnApplyInGoodOrder(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	before := h.Tree()
	h.desire(port, "alpha", "beta", "gamma")
	settled := func(code int, stderr string) {
		t.Helper()
		is.True(!strings.Contains(stderr, "NGINX_")) // it was not nginx
		journals, err := os.ReadDir(filepath.Join(h.StateDir, "journal"))
		is.NoErr(err)
		if len(journals) != 0 {
			t.Fatalf("exit %d, and a journal is left:\n%s", code, stderr)
		}
		if code != 0 {
			is.Equal(code, 3) // as after SIGTERM
			is.Equal(h.Tree().Diff(before), "")
			return
		}
		h.must("apply", "--auto-approve", "-f", h.desire(port, "alpha"))
		h.desire(port, "alpha", "beta", "gamma")
	}
	for _, kind := range []string{plan.WriteFile, plan.CreateSymlink, plan.TestConfig, plan.Reload} {
		var said strings.Builder
		settled(h.interrupt(kind, syscall.SIGHUP, &said), said.String())
		code, stderr := h.cutOff(kind)
		is.True(code == 0 || strings.Contains(stderr, "nobody reads the output any more"))
		settled(code, stderr)
	}
	// A session that is lost sends more than one.
	cmd := h.command("apply", "--auto-approve", "--json")
	events, err := cmd.StdoutPipe()
	is.NoErr(err)
	var errs strings.Builder
	cmd.Stderr = &errs
	is.NoErr(cmd.Start())
	for s := bufio.NewScanner(events); s.Scan(); {
		_ = cmd.Process.Signal(syscall.SIGHUP)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 && code != 6 { // the first came before anything was done, or the lock was had
		settled(code, errs.String())
	}
	is.Equal(h.run("recover", "--json").stdout, "{\n  \"recovered\": false,\n  \"rolled_back\": false\n}\n")
}

func TestASessionThatIsLostIsNothingToWhatRunsWithNohup(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	cmd := exec.Command("sh", "-c", `trap "" HUP; exec "$0" apply --auto-approve --json`, binary)
	cmd.Env, cmd.Dir = h.env, h.Dir
	events, err := cmd.StdoutPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	for s := bufio.NewScanner(events); s.Scan(); {
		_ = cmd.Process.Signal(syscall.SIGHUP)
	}
	is.NoErr(cmd.Wait())
	is.Equal(names(h), []string{"alpha"})
}
