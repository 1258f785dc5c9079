package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestAPatternMatchesWhatFnmatchMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, yes, no string // names, separated by spaces
	}{
		{"*", "a a.conf", ".a"},
		{"*.conf", "a.conf fpai-a.conf", ".conf .a.conf a.conf.bak conf"},
		{".*.conf", ".a.conf ..conf", "a.conf .conf"},
		{"?.conf", "a.conf", ".conf ab.conf"},
		{"[!_]*.conf", "a.conf fpai-a.conf", "_a.conf .a.conf"},
		{"[^_]*.conf", "a.conf", "_a.conf .a.conf"},
		{"[a-c]", "a b c", "d A -"},
		{"[]a]", "] a", "b"},
		{"[!]a]", "b", "] a"},
		{"[a-]", "a -", "b"},
		{"[[:digit:]x]", "7 x", "a :"},
		{"[", "[", "a"},
		{"[a", "[a", "a"},
		{`\*`, "*", "a"},
		{`\.*`, ".a", "a"},
		{`[\]]`, "]", `\`},
		{"{a,b}.conf", "{a,b}.conf", "a.conf b.conf"},
		{"*a*b*", "ab xaxbx aab", "ba a b"},
		{"*.*.*", "a.b.c a..b", "a.b"},
	} {
		for name := range strings.FieldsSeq(c.yes) {
			if !Match(c.pattern, name) {
				t.Errorf("%s does not match %s", c.pattern, name)
			}
		}
		for name := range strings.FieldsSeq(c.no) {
			if Match(c.pattern, name) {
				t.Errorf("%s matches %s", c.pattern, name)
			}
		}
	}
}

// The shell has the rules of glob(3).
func TestGlobFindsWhatTheShellFinds(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	for _, d := range []string{"a", "a-b", "b", ".hidden"} {
		is.NoErr(os.Mkdir(filepath.Join(dir, d), 0o755))
		for _, name := range []string{"one.conf", "_two.conf", ".three.conf", "Z.conf", "{x,y}.conf", "x.conf"} {
			is.NoErr(os.WriteFile(filepath.Join(dir, d, name), nil, 0o644))
		}
	}
	is.NoErr(os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	is.NoErr(os.Symlink("/nowhere", filepath.Join(dir, "a", "dangling.conf")))
	for _, pattern := range []string{
		"a/*.conf", "a/[!_]*.conf", "a/.*.conf", "a*/*.conf", "*/x.conf", "*/none.conf", ".*/*.conf", "*/*", "a/{x,y}*.conf",
		"a/[[:upper:]]*", "a/no*thing", "none/*.conf", "a//*.conf", "./a/../b/*.conf",
	} {
		o := NewObserver(OS{}, NewCache(time.Now))
		got, err := o.Glob(dir + "/" + pattern)
		is.NoErr(err)
		// It leaves a pattern without matches as it is, and sorts as bytes in the C locale.
		cmd := exec.Command("sh", "-c", "for f in "+dir+"/"+strings.NewReplacer("{", `\{`, "}", `\}`).Replace(pattern)+`; do if [ -e "$f" ] || [ -L "$f" ]; then echo "$f"; fi; done`)
		cmd.Env = []string{"LC_ALL=C"}
		out, err := cmd.Output()
		is.NoErr(err)
		var want []string
		for line := range strings.Lines(strings.ReplaceAll(string(out), "//", "/")) {
			if base := filepath.Base(strings.TrimSpace(line)); base != "." && base != ".." && !strings.Contains(line, "/../.") {
				want = append(want, strings.TrimSpace(line))
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nand the shell finds\n%s", pattern, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
