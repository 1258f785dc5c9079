package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

func TestSSLObtainsTheCertificateOnceAndSaysWhatItIs(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{ACME: true})
	h := &host{Lab: lab, t: t, env: append(lab.Env(), "PATH="+os.Getenv("PATH"), "USER=tester")}
	h.must("put", "shop", "--domain", "shop.example.test", "--upstream-host", "127.0.0.1",
		"--upstream-port", itoa(h.Upstream("shop").Port()), "--auto-approve")
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
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{ACME: true})
	h := &host{Lab: lab, t: t, env: append(lab.Env(), "PATH="+os.Getenv("PATH"), "USER=tester")}
	got := h.run("put", "blocked", "--domain", enginetest.BlockedDomain, "--upstream-host", "127.0.0.1",
		"--upstream-port", itoa(h.Upstream("blocked").Port()), "--auto-issue-ssl", "--auto-approve")
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
