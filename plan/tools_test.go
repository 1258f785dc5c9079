package plan_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

var seed = flag.Uint64("seed", 0, "seed of the property tests; 0 takes one from the clock")

// The whole text of a plan with hundreds of steps is given to each program once, prose and all, as a user would pipe it.
func TestPlansTextAppliesWithPatchAndGit(t *testing.T) {
	g := newGenerator(t)
	p := &plan.Plan{Warnings: g.someLines(40)}
	paths, before, after := []string{}, map[string]*plan.State{}, map[string]*plan.State{}
	for i := range 600 {
		path := fmt.Sprintf("/%s %d/%s", g.pick("etc", "sites", "a b"), i, g.name())
		paths = append(paths, path)
		before[path] = g.state()
		after[path] = g.changed(before[path])
		p.Changes = append(p.Changes, plan.Change{Address: g.pick(nastyLines...), Action: plan.Update, Reason: g.pick(nastyLines...)})
		p.Steps = append(p.Steps, g.steps(path, before[path], after[path])...)
	}
	text := p.String()
	for name, tool := range map[string]struct {
		argv []string
		perm fs.FileMode // the permissions that the program restores
	}{
		"patch": {[]string{"patch", "--batch", "--silent", "-p1"}, 0o777},
		"git":   {[]string{"git", "apply", "--whitespace=nowarn"}, 0o100},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			root := t.TempDir()
			for _, path := range paths {
				store(t, filepath.Join(root, path), before[path])
			}
			run(t, root, text, tool.argv...)
			for _, path := range paths {
				got, want := load(t, filepath.Join(root, path)), after[path]
				if got, want := sameAs(got, tool.perm), sameAs(want, tool.perm); got != want {
					t.Errorf("%q: got %s, want %s, by:\n%s", path, got, want, diffsOf(p, path))
				}
			}
			is.Equal(leftovers(t, root), 0) // no rejects or backups
		})
	}
}

func diffsOf(p *plan.Plan, path string) string {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Path == path {
			fmt.Fprintln(&b, s.Diff)
		}
	}
	return b.String()
}

func run(t *testing.T, dir, stdin string, argv ...string) {
	t.Helper()
	if _, err := exec.LookPath(argv[0]); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_NOSYSTEM=1", "HOME="+dir)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%.4000s", argv, err, out)
	}
}

// sameAs describes a state with the permissions in mask alone.
func sameAs(s *plan.State, mask fs.FileMode) string {
	if s == nil || s.IsLink() {
		return s.String()
	}
	return plan.File(s.Content, s.Mode&mask).String() + fmt.Sprintf(" %.60q", s.Content)
}

func store(t *testing.T, path string, s *plan.State) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	switch {
	case err != nil || s == nil:
	case s.IsLink():
		err = os.Symlink(s.Target, path)
	default:
		if err = os.WriteFile(path, s.Content, 0o600); err == nil {
			err = os.Chmod(path, s.Mode)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, path string) *plan.State {
	t.Helper()
	info, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		is.New(t).NoErr(err)
		return plan.Link(target)
	}
	content, readErr := os.ReadFile(path)
	if err != nil || readErr != nil {
		t.Fatal(err, readErr)
	}
	return plan.File(content, info.Mode())
}

func leftovers(t *testing.T, root string) (n int) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".orig" || ext == ".rej" {
			n++
		}
		return err
	})
	is.New(t).NoErr(err)
	return n
}

// nastyLines look like parts of a patch, of an ed script or of this package's own text.
var nastyLines = []string{
	"", " ", "-", "+", "\\", "server {", "}", "\tlisten 80;", "é", "3d", "1,2c3", "--- a/x", "+++ b/x", "-- x", "++ x", "@@ -1 +1 @@",
	"@@ -0,0 +1,2 @@", "diff --git a/q b/q", "index 0000000..e69de29", "new file mode 120000", "Index: q", "Prereq: 1", "*** 1,2 ****",
	"\\ No newline at end of file", "# comment  ", "Binary files a/x and b/x differ", "GIT binary patch", "rename from q", "line\r", "\r", "\x1b[31m",
}

type generator struct{ *rand.Rand }

func newGenerator(t *testing.T) generator {
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("to repeat: -seed %d", s)
	return generator{rand.New(rand.NewPCG(s, s))}
}

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) name() string {
	return g.pick("f", "fpai-alpha.conf", "two words", " edge ", "it's", `quo"te`, `back\slash`, "tab\there", "é", "caf\xe9", "-rf", "a=b", "$HOME")
}

// steps returns one step, or two with a state in between: a plan writes a path twice when a certificate is issued on the
// way. Two only where the path stays a file with something in it from there on, as in every plan, for neither program
// follows a path through all else in one input: git 2.39 puts a file back that is both changed and deleted, and patch 2.7
// goes by the size that an empty file had at first, also once it has filled it.
func (g generator) steps(path string, before, after *plan.State) []plan.Step {
	step := func(from, to *plan.State) plan.Step {
		return plan.Step{Path: path, Description: g.pick(nastyLines...) + "\n" + g.pick(nastyLines...), Diff: plan.Diff(path, from, to)}
	}
	between := g.changed(before)
	if !isFilledFile(between) || !isFilledFile(after) || g.IntN(4) > 0 {
		return []plan.Step{step(before, after)}
	}
	return []plan.Step{step(before, between), step(between, after)}
}

func isFilledFile(s *plan.State) bool { return s != nil && !s.IsLink() && len(s.Content) > 0 }

func (g generator) state() *plan.State {
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return plan.Link(g.target())
	default:
		return plan.File(g.content(g.someLines(1+g.IntN(30))), g.perm())
	}
}

func (g generator) target() string { return g.pick("../t", "/etc/t", "to two words", "né") }

func (g generator) perm() fs.FileMode {
	return []fs.FileMode{0o644, 0o644, 0o644, 0o640, 0o600, 0o755}[g.IntN(6)]
}

func (g generator) changed(s *plan.State) *plan.State {
	switch g.IntN(8) {
	case 0:
		return g.state()
	case 1:
		return nil
	}
	switch {
	case s == nil:
		return g.state()
	case s.IsLink():
		return plan.Link(g.target())
	}
	lines := strings.SplitAfter(string(s.Content), "\n")
	for range g.IntN(6) {
		at := g.IntN(len(lines) + 1)
		end := min(len(lines), at+g.IntN(4))
		lines = append(append(lines[:at:at], g.someLines(g.IntN(4))...), lines[end:]...)
	}
	perm := s.Mode
	if g.IntN(4) == 0 {
		perm = g.perm()
	}
	return plan.File(g.content(lines), perm)
}

// someLines returns up to n lines; one time in ten many more, none of them twice.
func (g generator) someLines(n int) []string {
	var lines []string
	if g.IntN(10) == 0 {
		for i := range 130 + g.IntN(200) {
			lines = append(lines, fmt.Sprintf("distinct %d\n", i))
		}
		return lines
	}
	for range g.IntN(n + 1) {
		lines = append(lines, g.pick(nastyLines...)+"\n")
	}
	return lines
}

func (g generator) content(lines []string) []byte {
	content := []byte(strings.Join(lines, ""))
	switch g.IntN(6) {
	case 0:
		return bytes.TrimSuffix(content, []byte("\n"))
	case 1:
		return bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n"))
	default:
		return content
	}
}
