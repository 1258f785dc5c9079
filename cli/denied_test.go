package cli_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

// asNobody runs the program as a user who may not read what is root's alone.
func (h *host) asNobody(args ...string) outcome {
	h.t.Helper()
	if os.Geteuid() != 0 {
		h.t.Skip("only root can run something as somebody else")
	}
	cmd := h.command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return finish(h.t, cmd)
}

func TestADeniedReadIsSaidToBeOneWithWhoMayRead(t *testing.T) {
	t.Parallel()
	h := startHost(t, enginetest.Options{ACME: true})
	h.must(put("shop", h.Upstream("shop").Port(), "--auto-issue-ssl")...)
	h.write("state.json", `{"routes":[{"droplet_name":"shop","domain":"shop.example.test","upstream_port":8001}]}`)
	for _, args := range []string{"plan -f state.json", "drift", "renew --dry-run", "history", "recover --dry-run", "ssl shop --dry-run"} {
		t.Run(args, func(t *testing.T) {
			is := is.New(t)
			got := h.asNobody(strings.Fields(args)...)
			is.Equal(got.code, 1)
			for _, says := range []string{"CONFIG_READ_FAILED", "permission denied", "next:    run it as root\n"} {
				is.True(strings.Contains(got.stderr, says))
			}
			is.True(!strings.Contains(got.stderr, "disk"))
		})
	}
	is := is.New(t)
	is.True(strings.Contains(h.asNobody("recover").stderr, "run it as root"))
	is.True(strings.Contains(h.asNobody("get", "shop").stdout, "which could not be read"))
	list := h.asNobody("list")
	is.Equal(list.code, 0)
	is.True(strings.Contains(list.stderr, "when certificates expire is not known"))
}

func TestHealthSaysWhatItMayNotLookAtAndTakesItForNeitherGoodNorBad(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t, enginetest.Options{ACME: true})
	h.must(put("shop", h.Upstream("shop").Port(), "--auto-issue-ssl")...)
	got := h.asNobody("health", "--json")
	is.Equal(got.code, 0) // nothing is known to be wrong
	answer := decode[struct {
		Status  string
		Nginx   struct{ Running bool }
		NotSeen []string `json:"not_seen"`
	}](t, got.stdout)
	is.Equal(answer.Status, "degraded") // nor that all is well
	is.True(answer.Nginx.Running)
	is.Equal(len(answer.NotSeen), 3) // nginx -t, the journal, the certificates
	text := h.asNobody("health")
	is.True(strings.Contains(text.stdout, "not tested"))
	is.True(strings.Contains(text.stderr, "Not seen: whether nginx accepts its configuration: "))
	is.True(strings.Contains(text.stderr, "Run it as root"))

	is.NoErr(h.StopNginx())
	is.Equal(h.asNobody("health").code, 1) // that can be seen by anybody
}

func TestHealthAndListShowWhenCertificatesExpireAndHealthWhetherTheyAreServed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t, enginetest.Options{ACME: true})
	port := h.Upstream("shop").Port()
	h.must(put("shop", port, "--auto-issue-ssl")...)
	h.must(put("plain", port, "--enable-ssl=false")...)
	type certificate struct {
		Name     string
		NotAfter time.Time `json:"not_after"`
		DaysLeft int       `json:"days_left"`
		Served   *bool
	}
	certificates := func(o outcome) []certificate {
		return decode[struct {
			Certificates []certificate
			NotSeen      []string `json:"not_seen"`
		}](t, o.stdout).Certificates
	}
	got := certificates(h.must("health", "--json"))
	is.Equal(len(got), 1)
	is.Equal(got[0].Name, "shop")
	is.Equal(got[0].DaysLeft, int(time.Until(got[0].NotAfter).Hours()/24))
	is.True(got[0].DaysLeft > 0)
	is.True(*got[0].Served)
	day := got[0].NotAfter.Local().Format(time.DateOnly)
	is.True(strings.Contains(h.must("health").stdout, day))
	for line := range strings.Lines(h.must("list").stdout) {
		is.Equal(strings.Contains(line, day), strings.HasPrefix(line, "shop"))
	}

	is.NoErr(h.StopNginx())
	unserved := h.run("health", "--json")
	is.Equal(unserved.code, 1)
	is.True(!*certificates(unserved)[0].Served)
	is.True(strings.Contains(h.run("health").stdout, "NO: nginx presents another, or none"))
}

func TestASettingsFileThatMayNotBeReadIsNotPassedOver(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	path := h.write("settings", "LOG_LEVEL=debug\n")
	is.NoErr(os.Chmod(path, 0o600))
	h.env = append(h.env, "PROXY_MANAGER_CONFIG="+path)
	is.Equal(h.run("list").code, 0)
	got := h.asNobody("list")
	is.Equal(got.code, 1) // with other settings it would say something else than the service does
	is.True(strings.Contains(got.stderr, "CONFIG_READ_FAILED"))
	is.True(strings.Contains(got.stderr, "run it as root"))
}
