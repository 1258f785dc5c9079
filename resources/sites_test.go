package resources_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

func TestSitesListenWhereNginxWouldListen(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "[{ 80 false false}]",
		"listen 80;":                            "[{ 80 false false}]",
		"listen 80 default_server;":             "[{ 80 true false}]",
		"listen 80 default;":                    "[{ 80 true false}]",
		"listen *:8080;":                        "[{ 8080 false false}]",
		"listen 0.0.0.0:8080;":                  "[{ 8080 false false}]",
		"listen 127.0.0.1:80 default_server;":   "[{127.0.0.1 80 true false}]",
		"listen 127.0.0.1;":                     "[{127.0.0.1 80 false false}]",
		"listen Example.com:81;":                "[{example.com 81 false false}]",
		"listen example.com;":                   "[{example.com 80 false false}]",
		"listen [::]:80 ipv6only=on;":           "[{:: 80 false false}]",
		"listen [::1];":                         "[{::1 80 false false}]",
		"listen unix:/run/x.sock;":              "[{unix:/run/x.sock 0 false false}]",
		"listen 443 ssl http2;":                 "[{ 443 false true}]",
		"listen 443; ssl on;":                   "[{ 443 false true}]",
		"listen 443 quic reuseport;":            "[{ 443 false true}]",
		"listen 8000-8002;":                     "[{ 8000 false false} { 8001 false false} { 8002 false false}]",
		"listen [::]:80; listen 80;":            "[{:: 80 false false} { 80 false false}]",
		"listen 99999999;":                      "[{ 80 false false}]",
		"listen 80 backlog=511; server_name a;": "[{ 80 false false}]",
	} {
		t.Run(text, func(t *testing.T) {
			is := is.New(t)
			ds, err := nginxconf.Parse("x.conf", []byte("server {"+text+"}"))
			is.NoErr(err)
			is.Equal(fmt.Sprint(resources.Sites(ds)[0].Listens), want)
		})
	}
}

func TestSitesAreTheServersOfHTTP(t *testing.T) {
	is := is.New(t)
	ds, err := nginxconf.Parse("nginx.conf", []byte(`
stream { server { listen 5432; } }
mail { server { listen 25; } }
http {
  upstream u { server 127.0.0.1:80; }
  server { server_name A.example.com .b.example.com; server_name ~^C(\d)$ "" *.d.example.com; }
}
server { server_name e.example.com; }`))
	is.NoErr(err)
	sites := resources.Sites(ds)
	is.Equal(len(sites), 2)
	is.Equal(sites[0].Line, 6)
	is.Equal(sites[0].File, "nginx.conf")
	is.Equal(sites[0].ServerNames, []string{"a.example.com", ".b.example.com", `~^C(\d)$`, "*.d.example.com"})
	is.True(sites[0].Serves("a.example.com"))
	is.True(sites[0].Serves("b.example.com"))
	is.True(!sites[0].Serves("x.d.example.com")) // an exact name beside a wildcard is no conflict
	is.True(!sites[0].Serves(""))
	is.True(sites[1].Serves("e.example.com"))
}

func TestSitesOfOurOwnFiles(t *testing.T) {
	is := is.New(t)
	ds, err := nginxconf.Parse("fpai-alpha.conf", goldens()[11].render(t, "alpha"))
	is.NoErr(err)
	sites := resources.Sites(ds)
	is.Equal(len(sites), 2)
	is.Equal(fmt.Sprint(sites[0].Listens), "[{ 80 false false} {:: 80 false false}]")
	is.Equal(fmt.Sprint(sites[1].Listens), "[{ 443 false true} {:: 443 false true}]")
	is.True(sites[1].Serves("alpha.example.com"))
}

func TestTheHTTPBlocksRulesOfAccessAreFound(t *testing.T) {
	for conf, want := range map[string]string{
		`http { sendfile on; }`: "",
		`http { deny all; }`:    "allow",
		`http { auth_request /a; auth_basic "b"; allow 192.0.2.1; deny all; satisfy any; }`: "allow auth_basic auth_request",
		`http { server { deny all; location / { auth_basic "b"; } } }`:                      "", // that server's alone
		`stream { deny all; }`: "",
	} {
		is := is.New(t)
		tree, err := nginxconf.Parse("nginx.conf", []byte(conf))
		is.NoErr(err)
		is.Equal(strings.Join(resources.AccessRules(tree), " "), want)
	}
}
