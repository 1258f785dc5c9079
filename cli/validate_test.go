package cli_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestValidateChecksTheFileAndTheVersionsThatItAsksFor(t *testing.T) {
	t.Parallel()
	h := startHost(t)
	const route = `{"droplet_name":"alpha","domain":"alpha.example.test","upstream_port":8001}`
	for what, test := range map[string]struct {
		file string
		code int
		says string // on stdout of a good file, on stderr of another
	}{
		"a good file":          {`{"required_version":">= 0.1","nginx_version":">= 1.0","routes":[` + route + `]}`, 0, "is valid: 1 route."},
		"an empty one":         {`{"routes":[]}`, 0, "is valid: 0 routes."},
		"an unknown field":     {`{"routes":[{"name":"alpha"}]}`, 1, "routes[0].name"},
		"a name that is taken": {`{"routes":[` + route + `,` + route + `]}`, 1, "routes[1].droplet_name"},
		"a domain of two":      {`{"routes":[` + route + `,` + strings.Replace(route, `"alpha"`, `"beta"`, 1) + `]}`, 1, "DOMAIN_CONFLICT"},
		"an older program":     {`{"required_version":">= 99","routes":[]}`, 1, "required_version"},
		"an older nginx":       {`{"nginx_version":">= 99","routes":[]}`, 1, "nginx_version"},
	} {
		t.Run(what, func(t *testing.T) {
			is := is.New(t)
			got := h.run("validate", "-f", h.write("state.json", test.file))
			is.Equal(got.code, test.code)
			said := got.stdout
			if test.code != 0 {
				said = got.stderr
				is.Equal(got.stdout, "")
				is.True(strings.Contains(said, "state.json"))
			}
			is.True(strings.Contains(said, test.says))
		})
	}
}

func TestValidateNeedsNoNginxAndCountsInJSON(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.write("proxies.json", `{"nginx_version":">= 99","routes":[]}`)
	got := h.must("validate", "--json", "--nginx-bin", "/nowhere/nginx")
	is.Equal(decode[map[string]any](t, got.stdout), map[string]any{"valid": true, "routes": 0.0, "certificates": 0.0})
	is.True(strings.Contains(got.stderr, "nginx_version was not checked"))
}
