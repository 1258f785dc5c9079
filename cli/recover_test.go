package cli_test

import (
	"io"
	"os"
	"os/exec"
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
	is.Equal(h.interrupt(plan.TestConfig, syscall.SIGKILL, io.Discard), -1)
	middle := h.Tree()
	is.True(middle.Diff(before) != "")
	is.True(strings.Contains(h.must("recover", "--dry-run").stdout, "An apply was interrupted"))
	is.Equal(decode[map[string]bool](t, h.must("recover", "--dry-run", "--json").stdout), map[string]bool{"interrupted": true})
	is.Equal(h.Tree().Diff(middle), "")

	is.True(strings.Contains(h.must("recover").stdout, "Recovered: "))
	is.Equal(h.Tree().Diff(before), "")
	is.True(strings.Contains(h.must("recover", "--dry-run").stdout, "Nothing to recover"))
}

func TestRecoverExits0OnlyIfNginxCouldStart(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.applied("alpha", "beta")
	file := filepath.Join(h.SitesAvailable, "fpai-alpha.conf")
	is.NoErr(os.Remove(file))
	is.True(h.TestNginx() != nil)
	got := h.must("recover")
	is.True(strings.Contains(got.stdout, "route.alpha was disabled"))
	is.NoErr(h.TestNginx())
	is.True(strings.Contains(h.must("recover").stdout, "Nothing to recover"))
	is.Equal(decode[map[string]any](t, h.must("recover", "--json").stdout), map[string]any{"recovered": false, "rolled_back": false})

	is.NoErr(h.Site("hand.conf", "nonsense on;\n"))
	for _, args := range [][]string{{"recover"}, {"recover", "--json"}} {
		got = h.run(args...)
		is.Equal(got.code, 1)
		is.True(strings.Contains(got.stderr, "hand.conf:1"))
		is.True(strings.Contains(got.stderr, "unknown directive"))
	}
	is.True(strings.Contains(decode[map[string]any](t, got.stdout)["nginx_error"].(string), "hand.conf:1"))
	is.NoErr(os.Remove(filepath.Join(h.SitesEnabled, "hand.conf")))
	is.Equal(h.run("recover", "--nginx-bin", "/nowhere/nginx").code, 1)
	h.must("recover")
}

func TestARecoveryThatHealsPartOfItSaysThatAndWhatNginxStillRefuses(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.applied("alpha")
	is.NoErr(h.Site("zz-hand.conf", "nonsense on;\n"))
	is.NoErr(os.Truncate(filepath.Join(h.SitesAvailable, "fpai-_maps.conf"), 0))
	got := h.run("recover")
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stdout, "shared.maps was damaged"))
	is.True(strings.Contains(got.stderr, "zz-hand.conf:1"))
	is.True(!strings.Contains(got.stderr, "nothing was changed"))
}

func TestAnotherRouteCanBePutAndDeletedWhileOneIsDamaged(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha", "beta")
	is.NoErr(os.Remove(filepath.Join(h.SitesAvailable, "fpai-alpha.conf")))
	got := h.must(put("gamma", port)...)
	is.True(strings.Contains(got.stdout+got.stderr, "route.alpha was disabled"))
	is.NoErr(os.Truncate(filepath.Join(h.SitesAvailable, "fpai-_maps.conf"), 0))
	h.must("delete", "beta", "--auto-approve")
	is.NoErr(h.TestNginx())
}

// TestNginx asks nginx itself whether it could start.
func (h *host) TestNginx() error {
	bin := "/usr/sbin/nginx"
	for _, v := range h.env {
		if name, value, _ := strings.Cut(v, "="); name == "NGINX_BIN" {
			bin = value
		}
	}
	return exec.Command(bin, "-t", "-q", "-c", h.NginxConf).Run()
}
