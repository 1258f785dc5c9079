package cli_test

import (
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
