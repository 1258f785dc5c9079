package cli

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

func TestTheFacadesZeroOptionsMeanWhatTheSettingsDoByDefault(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	eng, err := engine.Open(engine.Options{
		Nginx: engine.NginxOptions{SitesAvailable: dir, SitesEnabled: dir}, State: engine.StateOptions{Dir: dir},
	})
	is.NoErr(err)
	s, err := resolveWith(nil, func(string) string { return "" }, settingsFile{})
	is.NoErr(err)
	defaults := (&program{settings: s}).facadeOptions(nil)
	is.Equal(defaults.TokenFile+defaults.RegistryURL+defaults.OrchestratorURL, "")
	is.Equal(defaults.AutoIssueSSL, facade.Options{}.AutoIssueSSL)
	// How it introduces itself, and which hosts it answers to.
	for _, path := range []string{"/capabilities", "/health"} {
		for _, host := range []string{"localhost", "127.0.0.1", "elsewhere.example"} {
			ask := func(o facade.Options) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				facade.New(eng, o).ServeHTTP(w, httptest.NewRequest("GET", "http://"+host+path, nil))
				return w
			}
			zero, set := ask(facade.Options{}), ask(defaults)
			is.Equal(zero.Code, set.Code)
			if path == "/capabilities" && zero.Code == 200 {
				is.Equal(zero.Body.String(), set.Body.String())
			}
		}
	}
	// What the engine does by itself has its default there.
	is.Equal(eng.Options().ACME.RenewInterval, s.engineOptions().ACME.RenewInterval)
}

func TestAllowedHostsHistoryAndCAFileReachFacadeAndEngine(t *testing.T) {
	is := is.New(t)
	for text, good := range map[string]bool{
		"pm.example.com": true, "pm.example.com:8443, [2001:db8::5], 203.0.113.5:80": true,
		"": false, "https://pm.example.com": false, "a b": false, "pm.example.com/": false, "pm.example.com:": false, "pm.example.com:0": false, "user@pm.example.com": false,
	} {
		_, err := hostNames(text)
		if (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	env := map[string]string{"PROXY_MANAGER_ALLOWED_HOSTS": "pm.example.com, pm:81", "HISTORY_KEEP": "2h", "HISTORY_KEEP_APPLIES": "7", "UPSTREAM_CA_FILE": "/ca.pem"}
	s, err := resolveWith(nil, func(name string) string { return env[name] }, settingsFile{})
	is.NoErr(err)
	is.Equal((&program{settings: s}).facadeOptions(nil).AllowedHosts, []string{"127.0.0.1", "pm.example.com", "pm:81"})
	o := s.engineOptions()
	is.Equal(o.State.Keep, 2*time.Hour)
	is.Equal(o.State.KeepApplies, 7)
	is.Equal(o.Upstreams.CAFile, "/ca.pem")
}

func TestEveryCommandSaysWhichSettingsItTakes(t *testing.T) {
	is := is.New(t)
	commands := (&program{}).commands()
	for _, c := range commands {
		_, said := uses[c.Name]
		is.True(said)
	}
	is.Equal(len(uses), len(commands))
}
