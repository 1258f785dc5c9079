package cli_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestPutKeepsTheFieldsThatAreNotGiven(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.must(put("Shop", h.Upstream("alpha").Port(), "--domain", "shop.example.test", "--enable-ssl=false", "--alias", "www.example.test", "--alias", "shop2.example.test", "--health-check-path", "/health?x=1")...)
	h.must("put", "shop", "--max-body-size", "7m", "--auto-approve")
	got := decode[map[string]any](t, h.must("get", "shop", "--json").stdout)
	is.Equal(got["domain"], "shop.example.test")
	is.Equal(got["max_body_size"], "7m")
	is.Equal(got["health_check_path"], "/health?x=1")
	is.Equal(got["aliases"], []any{"www.example.test", "shop2.example.test"})
	is.Equal(got["status"], "active")

	h.must("put", "shop", "--aliases=", "--enabled=false", "--auto-approve")
	got = decode[map[string]any](t, h.must("get", "--json", "shop").stdout)
	is.Equal(got["aliases"], nil)
	is.Equal(got["status"], "disabled")
	h.must("delete", "shop", "--auto-approve")
	is.Equal(h.run("get", "shop").code, 1)
}

func TestPutSaysWhatToRunForTheCertificate(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	got := h.must(put("shop", h.Upstream("alpha").Port())...)
	is.True(strings.Contains(got.stderr, "proxy-manager ssl shop"))
	list := h.must("list").stdout
	is.True(strings.Contains(list, "pending_ssl"))
	lines := strings.Split(strings.TrimSpace(list), "\n")
	is.Equal(strings.Index(lines[0], "STATUS"), strings.Index(lines[1], "pending_ssl")) // aligned
}

func TestHistoryAndRollback(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	before := h.Tree()
	h.desire(port, "alpha", "beta")
	h.must("apply", "--auto-approve")

	type entry struct {
		ID        string `json:"id"`
		StartedAt string `json:"started_at"`
		Operation string `json:"operation"`
		Actor     string `json:"actor"`
		Result    string `json:"result"`
		Summary   map[string]int
	}
	entries := decode[[]entry](t, h.must("history", "--json").stdout)
	is.Equal(len(entries), 2)
	is.True(entries[0].StartedAt > entries[1].StartedAt) // newest first
	is.Equal(entries[0].Operation, "apply")
	is.Equal(entries[0].Actor, "tester")
	is.Equal(entries[0].Result, "applied")
	is.Equal(entries[0].Summary["create"], 1)
	h.must("history")
	h.must("rollback", entries[0].ID, "--auto-approve")
	is.Equal(h.Tree().Diff(before), "")
	is.Equal(h.run("rollback", "nowhere", "--auto-approve").code, 1)
	is.True(strings.Contains(h.must("recover").stdout, "Nothing to recover"))
}

func TestHealthFailsWhenNginxDoes(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	got := decode[map[string]any](t, h.must("health", "--json").stdout)
	is.True(got["status"] != "unhealthy")
	is.NoErr(h.StopNginx())
	is.Equal(h.run("health").code, 1)
}

func TestUpstreamsSpokenToByHTTPSAreVerifiedAgainstTheCAFileOfTheSettings(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	args := put("shop", 8443, "--upstream-host", "up.example.test", "--upstream-scheme", "https", "--require-healthy=false", "--dry-run")
	is.True(strings.Contains(h.must(append(args, "--upstream-ca-file", "/srv/ca.pem")...).stdout, "proxy_ssl_trusted_certificate /srv/ca.pem;"))
	is.True(!strings.Contains(h.must(args...).stdout, "/srv/ca.pem"))
}
