package registry_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/registry"
	"github.com/matryer/is"
)

// open opens an engine where there is nothing yet.
func open(t testing.TB) *engine.Engine {
	t.Helper()
	dir := t.TempDir()
	eng, err := engine.Open(engine.Options{
		Nginx: engine.NginxOptions{SitesAvailable: dir, SitesEnabled: dir}, State: engine.StateOptions{Dir: dir},
	})
	if err != nil {
		t.Fatal(err)
	}
	return eng
}

// serve starts a Registry.
func serve(t testing.TB, answer http.HandlerFunc) *registry.Client {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return registry.New(s.URL + "/")
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func TestAHostileRegistryIsUnavailableAndNoMore(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
		},
		"500":            func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) },
		"5 MB":           text("[" + strings.Repeat(" ", 5<<20) + "]"),
		"deep":           text(strings.Repeat("[", 100_000)),
		"no JSON":        text("<html>"),
		"null":           text("null"),
		"another object": text(`{"items":[]}`),
		"many":           text("[" + strings.Repeat("0,", 20_000) + "0]"),
		"silence":        func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"a cut answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "[")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			begin := time.Now()
			_, err := registry.Prepare(t.Context(), open(t), serve(t, answer))
			is.Equal(engine.CodeOf(err), engine.RegistryUnavailable)
			is.True(len(err.Error()) < 500)
			is.True(time.Since(begin) < 5*time.Second)
			_, err = serve(t, answer).PublicKey(t.Context())
			is.True(err != nil)
		})
	}
}

func TestWithoutAURLThereIsNoRegistry(t *testing.T) {
	is := is.New(t)
	_, err := registry.Prepare(t.Context(), open(t), registry.New(""))
	is.Equal(engine.CodeOf(err), engine.RegistryNotConfigured)
}

// pem is a public key whose private key nobody has.
const pem = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1MgD7swVP36BmHHlXcma
OngItqvwgKUozhOXQQuNW6ei9R75p1RQqC3CaCbXUQa1dAaLBLOud0Ob5zbZKyIo
dl/N1Z4Eu7TCHCTL0Wa/n0A+L9gEaDpw0Aq/H4rJGxbc3b7QigqZDjBC+JFct3aj
/p1P6pAb9OxLeTcZevea+1rEoe1HwAF8SbrDCHJ2MM7asAcQts+GmpcKGQ3YLH6J
In5l+smqOM+DYRTaPH4l39T99NoDOfd7IkelSEiJjMf2UmMyLl6BayIT2L9OFXm8
l5XJ8TXuBD8XvVC6VBeCgS1HO9yebIIQNcPi94uRj0YqNTfJqXYWtHG7Oy+TyjNG
vQIDAQAB
-----END PUBLIC KEY-----
`

func TestThePublicKeyIsReadBareAndInJSON(t *testing.T) {
	quoted := strings.ReplaceAll(pem, "\n", `\n`)
	for name, test := range map[string]struct {
		answer string
		good   bool
	}{
		"bare":              {pem, true},
		"as public_key":     {`{"public_key":"` + quoted + `"}`, true},
		"as key":            {`{"key":"` + quoted + `"}`, true},
		"under other names": {`{"pem":"` + quoted + `"}`, false},
		"no PEM":            {"secret", false},
		"damaged":           {strings.Replace(pem, "MIIB", "AAAA", 1), false},
		"another thing":     {strings.ReplaceAll(pem, "PUBLIC", "RSA PUBLIC"), false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			key, err := serve(t, func(w http.ResponseWriter, r *http.Request) {
				is.Equal(r.URL.Path, "/auth/public-key")
				_, _ = io.WriteString(w, test.answer)
			}).PublicKey(t.Context())
			is.Equal(err == nil, test.good)
			is.Equal(key != nil, test.good)
		})
	}
}

func TestAnEndpointThatIsMoreThanHostAndPortIsSkippedWithThatReason(t *testing.T) {
	is := is.New(t)
	for endpoint, reason := range map[string]string{
		"http://127.0.0.1:1/api": "path",
		"http://127.0.0.1:1//":   "path",
		"http://127.0.0.1:1?x=1": "query",
		"http://127.0.0.1:1/?":   "query",
		"http://u:p@127.0.0.1:1": "user",
		"http://127.0.0.1:1#x":   "form",
		"unix:/run/app.sock":     "form",
	} {
		found, err := registry.Prepare(t.Context(), open(t), serve(t, text(`[{"name":"shop","domain":"shop.example.com","endpoint":"`+endpoint+`"}]`)))
		is.NoErr(err)
		is.Equal(len(found.Request.Routes), 0)
		is.Equal(len(found.Skipped), 1)
		is.True(strings.Contains(found.Skipped[0].Reason, reason))
	}
}
