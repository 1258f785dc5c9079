package adopt_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/adopt"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
	"github.com/hashicorp/go-version"
	"github.com/matryer/is"
)

// read reads a site in a directory of its own, with the files that it may include, under an http block.
func read(t *testing.T, http, text string, others map[string]string) (*adopt.Site, resources.Settings) {
	t.Helper()
	is := is.New(t)
	dir := t.TempDir()
	for name, content := range others {
		is.NoErr(os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	configuration, err := nginxconf.Parse("/etc/nginx/nginx.conf", []byte("http {\n"+http+"\n}\n"))
	is.NoErr(err)
	settings := resources.Settings{Nginx: version.Must(version.NewVersion("1.22.1")), OpenSSL: version.Must(version.NewVersion("3.0.19")), Webroot: dir, IPv6: true}
	site, err := adopt.Read(
		adopt.File{Path: "/etc/nginx/sites-available/shop", Content: []byte(text), Links: func(string) bool { return false }},
		adopt.Host{Observer: host.NewObserver(host.OS{}, host.NewCache(time.Now)), Dir: dir, Settings: settings, Configuration: configuration})
	is.NoErr(err)
	return site, settings
}

const shop = `server {
	listen 80;
	listen [::]:80;
	server_name shop.example.com www.shop.example.com;
	location / {
		proxy_pass http://127.0.0.1:8000;
	}
}
`

func TestTheRouteHasWhatTheSiteSays(t *testing.T) {
	is := is.New(t)
	site, settings := read(t, "", shop, nil)
	r, ok := site.Route("shop", resources.Route{}, true)
	is.True(ok)
	is.Equal(r.Domains(), []string{"shop.example.com", "www.shop.example.com"})
	is.Equal(r.Upstreams()[0].URL(), "http://127.0.0.1:8000")
	is.True(!r.EnableSSL())

	text, err := r.Render(settings, nil)
	is.NoErr(err)
	rendered, err := nginxconf.Parse("", text)
	is.NoErr(err)
	site.CompareWith(rendered, nil, func(string) bool { return false })
	is.True(!site.Has(adopt.Refused))
}

func TestWhatARouteCannotDoIsFoundWhereItIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		http, text string
		others     map[string]string
		severity   adopt.Severity
		line       int
	}{
		"a site that is closed": {text: slot("auth_basic shop;"), severity: adopt.Refused, line: 5},
		"closed by what it includes": {
			text: slot("include closed.conf;"), others: map[string]string{"closed.conf": "allow 10.0.0.0/8;\ndeny all;\n"}, severity: adopt.Refused, line: 5,
		},
		"an include that can't be read": {text: slot("include there/\x00.conf;"), severity: adopt.Refused, line: 5},
		"no upstream":                   {text: "server {\n\tlisten 80;\n\tserver_name shop.example.com;\n\troot /var/www;\n}\n", severity: adopt.Refused, line: 1},
		"a pattern":                     {text: "server {\n\tlisten 80;\n\tserver_name ~^shop;\n\tlocation / { proxy_pass http://127.0.0.1:8000; }\n}\n", severity: adopt.Refused, line: 1},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			site, _ := read(t, c.http, c.text, c.others)
			site.Route("shop", resources.Route{}, true)
			found := site.Reasons()
			if !slices.ContainsFunc(found, func(r adopt.Reason) bool { return r.Severity == c.severity && r.Line == c.line }) {
				t.Fatalf("no reason of line %d: %+v", c.line, found)
			}
			is.True(site.Has(c.severity))
		})
	}
}

// slot is the site with something in its server, before its location.
func slot(directive string) string {
	return strings.Replace(shop, "\tlocation", "\t"+directive+"\n\tlocation", 1)
}
