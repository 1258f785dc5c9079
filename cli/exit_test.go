package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	enginehost "github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

func TestExitCode0WhenDoneAndWhenThereIsNothingToDo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha", "beta")

	first := h.must("apply", "--auto-approve")
	is.True(strings.Contains(first.stdout, "Apply complete! 4 added, 0 changed, 0 destroyed."))
	is.True(strings.Contains(first.stderr, "done, ")) // step by step
	got, err := h.Get("beta.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "alpha\n")

	before := h.Tree()
	second := h.must("apply", "--auto-approve")
	is.True(strings.Contains(second.stdout, "No changes."))
	is.Equal(h.Tree().Diff(before), "") // applied twice is applied once
}

func TestExitCode1AndNothingChangedWhenRefused(t *testing.T) {
	t.Parallel()
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	before := h.Tree()
	bad := h.write("bad.json", `{"routes":[{"droplet_name":"alpha","domian":"a.example.test","upstream_port":1}]}`)
	broken := h.write("broken.json", `{"routes":[`)
	future := h.write("future.json", `{"required_version":">= 99","routes":[]}`)
	for _, test := range []struct {
		what string
		args []string
		says string
	}{
		{"nobody can be asked", []string{"apply"}, "there is no terminal"},
		{"an unknown field", []string{"apply", "-f", bad, "--auto-approve"}, "domian"},
		{"broken JSON", []string{"plan", "-f", broken}, "broken.json"},
		{"an unmet version", []string{"plan", "-f", future}, "required_version"},
		{"a file that is not there", []string{"plan", "-f", "nowhere.json"}, "nowhere.json"},
		{"a plan that is none", []string{"apply", "proxies.json", "--auto-approve"}, "proxies.json: "},
		{"a route that is not there", []string{"get", "nobody"}, "no route named"},
		{"a route called like a word of the command line", []string{"get", "help"}, "no route named"},
		{"nginx that is not there", []string{"--nginx-bin", "/nowhere/nginx", "plan"}, "nginx is not there"},
		{"a command that does not exist", []string{"aply"}, `Did you mean "apply"?`},
		{"an option that does not exist", []string{"plan", "--fil", "x"}, "Did you mean --file?"},
		{"operands where none are taken", []string{"list", "alpha"}, "takes no operands"},
		{"a missing operand", []string{"get"}, "takes one NAME"},
		{"a bad route", []string{"put", "alpha", "--domain", "a;b", "--upstream-port", "1", "--auto-approve"}, "domain"},
	} {
		t.Run(test.what, func(t *testing.T) {
			is := is.New(t)
			got := h.run(test.args...)
			is.Equal(got.code, 1)
			if !strings.Contains(got.stderr, test.says) {
				t.Errorf("stderr says nothing of %q:\n%s", test.says, got.stderr)
			}
			is.True(strings.Contains(got.stderr, "nothing was changed"))
			is.Equal(h.Tree().Diff(before), "")
		})
	}
}

func TestExitCode2OnlyWhenAskedForAndChangesArePlanned(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	h.desire(port, "alpha")
	is.Equal(h.run("plan").code, 0)
	is.Equal(h.run("plan", "--detailed-exitcode").code, 2)
	h.must("apply", "--auto-approve")
	is.Equal(h.run("plan", "--detailed-exitcode").code, 0)
	is.Equal(h.run("drift", "--detailed-exitcode").code, 0)

	h.edit("fpai-alpha.conf")
	drift := h.run("drift", "--detailed-exitcode")
	is.Equal(drift.code, 2)
	is.True(strings.Contains(drift.stdout, "-# by hand"))
	is.Equal(h.run("drift").code, 0)
	is.Equal(h.run("plan", "--detailed-exitcode").code, 2)
}

func TestExitCode3WhenItFailedAndWasUndone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.applied("alpha")
	before := h.Tree()

	taken, err := net.Listen("tcp", ":0") // by another process than nginx
	is.NoErr(err)
	defer taken.Close()
	_, number, _ := net.SplitHostPort(taken.Addr().String())
	got := h.run("apply", "--auto-approve", "--nginx-http-port", number)
	is.Equal(got.code, 3)
	for _, says := range []string{"Address already in use", "everything was undone", "NGINX_RELOAD_FAILED", "next:"} {
		if !strings.Contains(got.stderr, says) {
			t.Errorf("stderr says nothing of %q:\n%s", says, got.stderr)
		}
	}
	is.Equal(h.Tree().Diff(before), "")
	answer, err := h.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(answer.Body, "alpha\n") // the old route still answers
}

func TestExitCode4WhenRecoveryIsNeeded(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	// A journal that was damaged by hand: what it says can't be trusted, so nothing may be done by it.
	entries, err := os.ReadDir(filepath.Join(h.StateDir, "history"))
	is.NoErr(err)
	journal := readFile(t, filepath.Join(h.StateDir, "history", entries[0].Name()))
	journal[0] ^= 1
	hot := filepath.Join(h.StateDir, "journal", entries[0].Name())
	is.NoErr(os.WriteFile(hot, journal, 0o600))

	h.desire(port, "alpha", "beta")
	before := h.Tree()
	for _, args := range [][]string{{"apply", "--auto-approve"}, {"recover"}, {"put", "alpha", "--hsts", "--auto-approve"}} {
		got := h.run(args...)
		is.Equal(got.code, 4)
		is.True(strings.Contains(got.stderr, "recover"))
	}
	is.Equal(h.Tree().Diff(before), "")
	reading := h.run("list") // reports it and goes on
	is.Equal(reading.code, 0)
	is.True(strings.Contains(reading.stderr, "interrupted"))

	is.NoErr(os.Remove(hot))
	is.Equal(h.run("apply", "--auto-approve").code, 0)
}

func TestExitCode5WhenTheSavedPlanIsStale(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	h.desire(port, "alpha")
	h.must("plan", "--out", "plan.json")
	is.True(!strings.Contains(h.must("show", "plan.json").stderr, "stale"))
	h.must(put("beta", port, "--enable-ssl=false")...)
	before := h.Tree()
	got := h.run("apply", "plan.json", "--auto-approve")
	is.Equal(got.code, 5)
	is.True(strings.Contains(got.stderr, "fpai-beta.conf")) // names what changed
	is.Equal(h.Tree().Diff(before), "")
	is.True(strings.Contains(h.must("show", "plan.json").stderr, "stale"))
}

func TestExitCode6WhenTheLockIsHeld(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.desire(h.Upstream("alpha").Port(), "alpha")
	lock, err := os.OpenFile(filepath.Join(h.StateDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	is.NoErr(err)
	defer lock.Close()
	is.NoErr(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	_, err = lock.WriteString(`{"pid":4242,"operation":"apply","actor":"ann","since":"2026-01-02T03:04:05Z"}`)
	is.NoErr(err)
	start := time.Now()
	got := h.run("apply", "--auto-approve", "--lock-timeout", "300ms")
	is.Equal(got.code, 6)
	is.True(time.Since(start) > 300*time.Millisecond)
	is.True(strings.Contains(got.stderr, "pid 4242 (apply by ann")) // says who holds it
	is.Equal(h.run("plan").code, 0)                                 // reading needs no lock
}

// A stubborn kind is one that only this test knows. It fails, and can't be undone.
type stubborn struct{}

func (stubborn) Name() string { return "test.stubborn" }
func (stubborn) Do(context.Context, *engine.Host, plan.Step) (json.RawMessage, error) {
	return nil, errors.New("no")
}
func (stubborn) Undo(context.Context, *engine.Host, plan.Step, json.RawMessage) error {
	return errors.New("not now")
}
func (stubborn) Address() string { return "stubborn.test" }
func (stubborn) Plan(_ context.Context, _ *enginehost.Observer, b *engine.Builder) error {
	b.Step(plan.Step{Kind: "test.stubborn", Description: "be stubborn", Undo: "never"})
	return nil
}

func TestAnotherProgramsStepsAreLeftToIt(t *testing.T) {
	is := is.New(t)
	h := startHost(t)
	o := h.EngineOptions()
	o.Kinds = []engine.StepKind{stubborn{}}
	own, err := engine.Open(o)
	is.NoErr(err)
	_, err = own.Do(t.Context(), engine.Request{Operation: "put", KeepUnlisted: true, Resources: engine.Resources{stubborn{}}})
	is.Equal(engine.OutcomeOf(err), engine.NeedsRecovery)

	got := h.run("recover")
	is.Equal(got.code, 4)
	self, err := os.Executable()
	is.NoErr(err)
	is.True(strings.Contains(got.stderr, "test.stubborn"))
	is.True(strings.Contains(got.stderr, self))                           // who can
	is.True(!strings.Contains(got.stderr, "run 'proxy-manager recover'")) // which can't
}
