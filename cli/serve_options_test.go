package cli

import (
	"net/http/httptest"
	"testing"

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
	s, err := resolve(nil, func(string) string { return "" })
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
