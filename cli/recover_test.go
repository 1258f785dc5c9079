package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

func TestRecoverTakesBackWhatAKilledApplyLeftAndItsDryRunOnlySaysSo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	before := h.Tree()
	is.True(strings.Contains(h.must("recover", "--dry-run").stdout, "Nothing to recover"))
	is.Equal(decode[map[string]bool](t, h.must("recover", "--dry-run", "--json").stdout), map[string]bool{"interrupted": false})

	h.desire(port, "alpha", "beta")
	is.Equal(h.interrupt(plan.TestConfig, syscall.SIGKILL), -1)
	middle := h.Tree()
	is.True(middle.Diff(before) != "")
	is.True(strings.Contains(h.must("recover", "--dry-run").stdout, "An apply was interrupted"))
	is.Equal(decode[map[string]bool](t, h.must("recover", "--dry-run", "--json").stdout), map[string]bool{"interrupted": true})
	is.Equal(h.Tree().Diff(middle), "")

	is.True(strings.Contains(h.must("recover").stdout, "Recovered: "))
	is.Equal(h.Tree().Diff(before), "")
	is.True(strings.Contains(h.must("recover", "--dry-run").stdout, "Nothing to recover"))
}

func TestRecoverExits1WhileNginxCouldNotStart(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	broken := filepath.Join(h.SitesEnabled, "broken.conf")
	is.NoErr(os.WriteFile(broken, []byte("server { listen nonsense; }\n"), 0o644))
	got := h.run("recover", "--json")
	is.Equal(got.code, 1)
	is.True(strings.Contains(decode[map[string]any](t, got.stdout)["nginx_error"].(string), "nonsense")) // one document
	is.True(strings.Contains(got.stderr, "broken.conf:1"))
	is.NoErr(os.Remove(broken))
	h.must("recover")
}
