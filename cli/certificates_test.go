package cli_test

import (
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

func TestSSLObtainsTheCertificateOnceAndSaysWhatItIs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t, enginetest.Options{ACME: true})
	h.must(put("shop", h.Upstream("shop").Port())...)
	planned := h.must("ssl", "shop", "--dry-run")
	is.True(strings.Contains(planned.stdout, "obtain a certificate for shop.example.test"))

	h.must("ssl", "shop", "--email", "ops@example.test", "--auto-approve")
	got, err := h.GetTLS("shop.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "shop\n")
	shown := h.must("get", "shop").stdout
	is.True(strings.Contains(shown, "Pebble Intermediate"))
	is.True(strings.Contains(h.must("list").stdout, "active"))

	before := h.Tree()
	is.True(strings.Contains(h.must("ssl", "shop", "--auto-approve").stdout, "No changes."))
	is.True(strings.Contains(h.must("renew", "--auto-approve").stdout, "No changes.")) // nothing is due
	is.Equal(h.Tree().Diff(before), "")

	is.Equal(h.run("ssl", "nobody", "--auto-approve").code, 1)
	is.Equal(h.run("ssl", "shop", "--email", "nobody", "--auto-approve").code, 1)
}

func TestACertificateThatTheCARefusesLeavesTheRouteOnHTTPAndExits3(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t, enginetest.Options{ACME: true})
	got := h.run(put("blocked", h.Upstream("blocked").Port(), "--domain", enginetest.BlockedDomain, "--auto-issue-ssl")...)
	is.Equal(got.code, 3)
	for _, says := range []string{"SSL_ISSUANCE_FAILED", "proxy-manager ssl", "HTTP"} {
		if !strings.Contains(got.stderr, says) {
			t.Errorf("stderr says nothing of %q:\n%s", says, got.stderr)
		}
	}
	answer, err := h.Get(enginetest.BlockedDomain, "/name")
	is.NoErr(err)
	is.Equal(answer.Body, "blocked\n")
}
