package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// A CA has no password and comes from anywhere, whatever the host's nginx.conf asks of visitors.
func TestChallengesAreAnsweredWhateverNginxConfSaysOfAccess(t *testing.T) {
	for name, rules := range map[string]string{
		"a password":        `auth_basic "closed"; auth_basic_user_file /dev/null;`,
		"nobody at all":     `deny all;`,
		"one network":       `allow 192.0.2.0/24; deny all;`,
		"another's consent": `auth_request /consent;`,
		"any of them":       `satisfy any; deny all; auth_basic "closed"; auth_basic_user_file /dev/null;`,
	} {
		t.Run(name, func(t *testing.T) {
			is, h := begin(t, enginetest.Options{ACME: true})
			is.NoErr(os.WriteFile(filepath.Join(h.ConfD, "access.conf"), []byte(rules+"\n"), 0o644))
			is.NoErr(h.ReloadNginx())
			_, err := h.apply(h.httpsRoute("shop")) // asked for by name, and certified
			is.NoErr(err)
			res, err := h.GetTLS("shop.example.test", "/name")
			is.NoErr(err)
			is.True(res.Status != 200) // the rules hold for everybody else
			p, err := h.Plan(t.Context(), engine.Put(h.httpsRoute("shop")))
			is.NoErr(err)
			is.True(p.Empty())
		})
	}
}

func TestRulesThatComeLaterAreAPlannedChangeOfEveryRoute(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("shop"))
	file := h.SitesAvailable + "/fpai-shop.conf"
	before, err := os.ReadFile(file)
	is.NoErr(err)
	is.True(!strings.Contains(string(before), "allow all"))
	access := filepath.Join(h.ConfD, "access.conf")
	is.NoErr(os.WriteFile(access, []byte("deny all;\n"), 0o644))
	is.NoErr(h.ReloadNginx())
	res := h.put(h.route("shop"))
	is.Equal(res.Plan.Summary.Update, 1)
	is.NoErr(os.Remove(access))
	h.put(h.route("shop"))
	after, err := os.ReadFile(file)
	is.NoErr(err)
	is.Equal(string(after), string(before)) // and gone with them
}
