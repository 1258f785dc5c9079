// Package systemd holds units to copy; its test keeps them in step with systemd and with the program.
package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"
)

var execStart = regexp.MustCompile(`(?m)^ExecStart=(\S+) (.*)$`)

func TestTheUnitsAreUnderstoodBySystemdAndStartCommandsThatExist(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "proxy-manager")
	out, err := exec.Command("go", "build", "-o", program, "../../cli/proxy-manager").CombinedOutput()
	is.Equal(string(out), "")
	is.NoErr(err)

	units, err := filepath.Glob("*.[st]*")
	is.NoErr(err)
	args := []string{"verify", "--man=no"}
	for _, name := range units {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		is.NoErr(err)
		if m := execStart.FindStringSubmatch(string(text)); m != nil {
			is.Equal(m[1], "/usr/local/bin/proxy-manager") // as the README installs it
			out, err := exec.Command(program, append(strings.Fields(m[2]), "--help")...).CombinedOutput()
			t.Logf("%s", out)
			is.NoErr(err) // the command and its flags exist
		}
		copied := filepath.Join(dir, name)
		is.NoErr(os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/proxy-manager", program)), 0o644))
		args = append(args, copied)
	}
	is.Equal(len(args), 2+4)
	out, err = exec.Command("systemd-analyze", args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "proxy-manager") {
			t.Errorf("systemd: %s", line) // what it says of other units of the host is none of ours
		}
	}
	is.NoErr(err)
}
