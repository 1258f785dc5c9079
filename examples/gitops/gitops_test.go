package gitops

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestAPlanOfAPullRequestIsAppliedOnMergeAndOnlyOnce(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ci := newRunner(t)
	ci.write("proxies.json", fmt.Sprintf(`{"routes": [{"droplet_name": "shop", "domain": "shop.example.com",
		"upstream_host": "127.0.0.1", "upstream_port": %d, "enable_ssl": false}]}`, ci.lab.Upstream("shop").Port()))

	before := ci.lab.Tree()
	is.Equal(ci.run("plan.sh", "proxies.json", "out"), 2)
	is.Equal(ci.lab.Tree().Diff(before), "") // a pull request changes nothing
	comment := ci.read("out/comment.md")
	is.True(strings.Contains(comment, "```diff\n"))
	is.True(strings.Contains(comment, "+    server_name shop.example.com;"))
	is.True(strings.Contains(comment, "Plan: 3 to add, 0 to change, 0 to destroy."))

	is.Equal(ci.run("apply.sh", "out"), 0)
	res, err := ci.lab.Get("shop.example.com", "/name")
	is.NoErr(err)
	is.Equal(res.Body, "shop\n")

	is.Equal(ci.run("apply.sh", "out"), 5) // stale: the host is no longer what was reviewed
	is.Equal(ci.run("plan.sh", "proxies.json", "out"), 0)
	is.True(strings.HasPrefix(ci.read("out/comment.md"), "Nothing changes"))
}

func TestAWrongFileIsCommentedOn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ci := newRunner(t)
	ci.write("proxies.json", `{"routes": [{"droplet_name": "shop", "domain": "not a domain", "upstream_port": 8001}]}`)
	is.Equal(ci.run("plan.sh", "proxies.json", "out"), 1)
	is.True(strings.Contains(ci.read("out/comment.md"), "routes[0].domain"))
}

// A runner is a CI's, with the program in its PATH and a lab for a host.
type runner struct {
	t    *testing.T
	lab  *enginetest.Lab
	work string
	env  []string
}

func newRunner(t *testing.T) *runner {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "proxy-manager"), "../../cli/proxy-manager")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lab := enginetest.Start(t, enginetest.Options{})
	env := append(os.Environ(), lab.Env()...)
	return &runner{t, lab, t.TempDir(), append(env, "PATH="+bin+":"+os.Getenv("PATH"))}
}

// run returns the exit code of one of the scripts.
func (r *runner) run(script string, args ...string) int {
	r.t.Helper()
	path, err := filepath.Abs(script)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = r.work, r.env
	out, err := cmd.CombinedOutput()
	r.t.Logf("%s %s:\n%s", script, strings.Join(args, " "), out)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func (r *runner) write(name, text string) {
	if err := os.WriteFile(filepath.Join(r.work, name), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *runner) read(name string) string {
	text, err := os.ReadFile(filepath.Join(r.work, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}
