package facade_test

import (
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

// certificate returns what the API says of a route's certificate.
func (c *client) certificate(name string) map[string]any {
	c.t.Helper()
	m, _ := c.do("GET", "/proxies/"+name, "").json(c.t)["certificate"].(map[string]any)
	return m
}

func TestRunRenewsEachCertificateByItselfAndServesWhatOthersRenewed(t *testing.T) {
	is := is.New(t)
	var ahead atomic.Int64 // how far the engine's clock is ahead
	c := startWithCA(t, enginetest.Options{CertificateLifetime: 10 * time.Minute}, setup{
		engine: func(o *engine.Options) {
			o.ACME.RenewInterval = 500 * time.Millisecond
			o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		},
		facade: func(o *facade.Options) { o.AutoIssueSSL = true },
	})
	up := c.lab.Upstream("up")
	first := map[string]any{}
	for _, name := range []string{"shop", "blog"} {
		is.Equal(c.do("PUT", "/proxies/"+name, secureBody(name, up.Port())).status, 201)
		first[name] = c.certificate(name)["serial"]
	}
	ahead.Store(int64(6 * time.Minute)) // beyond the half of a short lifetime
	stop := c.run()
	for name, serial := range first {
		c.until(func() bool {
			now := c.certificate(name)
			return now["serial"] != serial && now["served_serial"] == now["serial"]
		})
	}

	stop()
	ahead.Store(0)

	// What certbot's own timer does: it renews, and leaves nginx alone.
	second := c.certificate("shop")["serial"]
	out, err := exec.Command(c.lab.CertbotBin, "renew", "--cert-name=fpai-shop", "--force-renewal", "--non-interactive", "--no-random-sleep-on-renew",
		"--config-dir", c.lab.CertbotConfigDir, "--work-dir", c.lab.CertbotWorkDir, "--logs-dir", c.lab.CertbotLogsDir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	stop = c.run()
	c.until(func() bool {
		now := c.certificate("shop")
		return now["serial"] != second && now["served_serial"] == now["serial"]
	})
	stop()

	renewed, ids := map[any]bool{}, map[any]bool{}
	for _, line := range lines(t, c.log.String()) {
		if line["audit"] != true || line["actor"] != "renewal" {
			continue
		}
		is.Equal(line["result"], "applied")
		is.True(line["correlation_id"] != "" && !ids[line["correlation_id"]]) // one of its own
		ids[line["correlation_id"]] = true
		if line["action"] == "renew" {
			changes := line["changes"].([]any)
			is.Equal(len(changes), 1) // and an apply of its own
			renewed[changes[0]] = true
		}
	}
	is.Equal(renewed, map[any]bool{"update certificate.shop": true, "update certificate.blog": true})
	is.True(strings.Contains(c.do("GET", "/metrics", "").body, `proxy_manager_applies_total{operation="reload",code="OK"} 1`+"\n"))
	history, err := c.eng.History()
	is.NoErr(err)
	for _, operation := range []string{"renew", "reload"} {
		is.True(slices.ContainsFunc(history, func(h engine.Entry) bool { return h.Operation == operation && h.Actor == "renewal" }))
	}
}
