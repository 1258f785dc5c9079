package engine_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestAHandWrittenSiteIsAdoptedAndGivenBack(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	is.NoErr(h.Site("shop.conf", fmt.Sprintf(`
upstream shop { server 127.0.0.1:%d; keepalive 8; }
server {
    listen %d default_server;
    server_name shop.example.test www.shop.example.test;
    client_max_body_size 20m;
    gzip on;
    location / {
        proxy_pass http://shop/;
        proxy_set_header Host $host;
        proxy_set_header X-Team shop;
        proxy_read_timeout 90s;
    }
}
`, h.up.Port(), h.HTTPPort)))
	is.NoErr(h.ReloadNginx())
	before := h.Tree()

	adopt := engine.Adopt(h.SitesAvailable+"/shop.conf", "shop")
	adopt.Adopt.AcceptLosses = true
	p, err := h.Plan(t.Context(), adopt)
	is.NoErr(err)
	is.Equal(h.Tree(), before)
	is.Equal(p.Changes[0].Reason, "adopted from "+h.SitesAvailable+"/shop.conf")
	warnings := strings.Join(p.Warnings, "\n")
	is.True(strings.Contains(warnings, "shop.conf:7: not kept: gzip on"))
	is.True(strings.Contains(warnings, "shop.conf:11: not kept: proxy_set_header X-Team shop"))
	is.Equal(strings.Count(warnings, "not kept: "), 3) // and the default place

	res, err := h.Apply(t.Context(), p)
	is.NoErr(err)
	st, err := h.Route(t.Context(), "shop")
	is.NoErr(err)
	is.Equal(st.Status, engine.Active)
	f := st.Route.Fields()
	is.Equal(f.Domain, "shop.example.test")
	is.Equal(f.Aliases, []string{"www.shop.example.test"})
	is.Equal(f.UpstreamPort, h.up.Port())
	is.Equal(f.MaxBodySize, "20m")
	is.Equal(f.ReadTimeout, "90s")
	for _, name := range []string{"available", "enabled"} {
		_, err = os.Lstat(h.Dir + "/nginx/sites-" + name + "/shop.conf")
		is.True(errors.Is(err, os.ErrNotExist))
	}
	is.Equal(h.page("www.shop.example.test"), "up\n")
	again, err := h.Plan(t.Context(), engine.Put(st.Route))
	is.NoErr(err)
	is.True(again.Empty()) // nothing is left to do, not even a default server

	_, err = h.Do(t.Context(), engine.Rollback(res.ID))
	is.NoErr(err)
	is.Equal(h.Tree(), before)
}

func TestAnEditIsAdoptedIntoTheRoute(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	other := h.Upstream("other")
	long := strings.Repeat("long-", 10) + "name.example.test"
	h.put(h.route("alpha", func(f *resources.RouteFields) { f.Aliases, f.UpstreamHost = []string{long}, "localhost" }))
	file := h.SitesAvailable + "/fpai-alpha.conf"
	b, err := os.ReadFile(file)
	is.NoErr(err)
	edited := strings.ReplaceAll(string(b), fmt.Sprint(":", h.up.Port()), fmt.Sprint(":", other.Port()))
	edited = strings.Replace(edited, "client_max_body_size 100m", "client_max_body_size 5m;\n    gzip on", 1)
	is.True(edited != string(b))
	is.NoErr(os.WriteFile(file, []byte(edited), 0o644))

	adopt := engine.Adopt(file, "alpha")
	adopt.Adopt.AcceptLosses = true
	p, err := h.Plan(t.Context(), adopt)
	is.NoErr(err)
	is.Equal(len(p.Warnings), 1) // what the program writes by itself is no loss
	is.True(strings.HasSuffix(p.Warnings[0], "not kept: gzip on"))
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)
	st, err := h.Route(t.Context(), "alpha")
	is.NoErr(err)
	is.True(!st.Drifted)
	is.Equal(st.Route.Fields().UpstreamPort, other.Port())
	is.Equal(st.Route.Fields().UpstreamHost, "localhost")
	is.Equal(st.Route.Fields().MaxBodySize, "5m")
	is.Equal(st.Route.Fields().Aliases, []string{long})
	is.Equal(h.page("alpha.example.test"), "other\n")
}

func TestWhatLeadsToHTTPSIsAdoptedWithoutALoss(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.bring("fpai-shop", "shop.example.test")
	live := h.CertbotConfigDir + "/live/fpai-shop"
	for name, redirect := range map[string]string{
		"a server of its own":   "return 301 https://$host$request_uri;",
		"by the server's name":  "return 301 https://$server_name$request_uri;",
		"as certbot writes it":  "if ($host = shop.example.test) { return 301 https://$host$request_uri; } return 404;",
		"by a rewrite":          "rewrite ^ https://$host$request_uri? permanent;",
		"on a condition":        "if ($scheme != https) { return 301 https://$host$request_uri; }",
		"beside the challenges": "location /.well-known/acme-challenge/ { root /srv/acme; } location / { return 301 https://$host$request_uri; }",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(h.Site("shop.conf", fmt.Sprintf(`
server { listen %d; server_name shop.example.test; %s }
server {
    listen %d ssl;
    server_name shop.example.test;
    ssl_certificate %s/fullchain.pem;
    ssl_certificate_key %[4]s/privkey.pem;
    add_header Strict-Transport-Security max-age=63072000;
    location / {
        proxy_pass http://127.0.0.1:%[5]d;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
`, h.HTTPPort, redirect, h.HTTPSPort, live, h.up.Port())))
			p, err := h.Plan(t.Context(), engine.Adopt(h.SitesAvailable+"/shop.conf", "shop"))
			is.NoErr(err)
			is.True(!strings.Contains(strings.Join(p.Warnings, "\n"), "not kept"))
		})
	}
	is.NoErr(h.ReloadNginx())
	_, err := h.Do(t.Context(), engine.Adopt(h.SitesAvailable+"/shop.conf", "shop"))
	is.NoErr(err)
	h.leaf("shop.example.test") // served with the certificate that was there
	st, err := h.Route(t.Context(), "shop")
	is.NoErr(err)
	is.True(st.Route.EnableSSL())
}

func TestASiteThatIsNotUnderstoodIsRefusedWithTheReason(t *testing.T) {
	_, h := begin(t, enginetest.Options{})
	listen := fmt.Sprintf("listen %d; ", h.HTTPPort)
	for name, c := range map[string]struct {
		conf, reason string
		code         engine.Code
	}{
		"files only":          {"server { " + listen + "server_name a.example.test; root /srv; }", "no proxy_pass", engine.AdoptionRefused},
		"no name":             {"server { " + listen + "location / { proxy_pass http://127.0.0.1:1; } }", "no server_name", engine.AdoptionRefused},
		"a pattern":           {"server { " + listen + "server_name *.example.test; location / { proxy_pass http://127.0.0.1:1; } }", "pattern", engine.AdoptionRefused},
		"a regular one":       {"server { " + listen + "server_name ~^(www|api)\\.x\\.test$; location / { proxy_pass http://127.0.0.1:1; } }", "pattern", engine.AdoptionRefused},
		"two upstreams":       {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } location /b { proxy_pass http://127.0.0.1:2; } }", "location /b", engine.AdoptionRefused},
		"several servers":     {"upstream u { server 127.0.0.1:1; server 127.0.0.1:2; } server { " + listen + "server_name a.example.test; location / { proxy_pass http://u; } }", "2 servers", engine.AdoptionRefused},
		"a path":              {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://127.0.0.1:1/app/; } }", "changes the path", engine.AdoptionRefused},
		"a variable":          {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://$host:1; } }", "variables", engine.AdoptionRefused},
		"a socket":            {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://unix:/run/a.sock; } }", "not to a host", engine.AdoptionRefused},
		"another port":        {"server { listen 8099; server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } }", "port 8099", engine.AdoptionRefused},
		"another protocol":    {"server { " + listen + "server_name a.example.test; location / { fastcgi_pass 127.0.0.1:1; } }", "fastcgi_pass", engine.AdoptionRefused},
		"no configuration":    {"server { " + listen, "site.conf:1", engine.InvalidInput},
		"a name of the route": {"server { " + listen + "server_name localhost; location / { proxy_pass http://127.0.0.1:1; } }", "domain", engine.AdoptionRefused},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(os.WriteFile(h.SitesAvailable+"/site.conf", []byte(c.conf), 0o644))
			before := h.Tree()
			_, err := h.Do(t.Context(), engine.Adopt(h.SitesAvailable+"/site.conf", "site"))
			is.True(errors.Is(err, code(c.code)))
			is.True(strings.Contains(err.Error(), c.reason)) // says why
			is.Equal(h.Tree(), before)
		})
	}
}

func TestOnlySitesOfThisNginxAreAdopted(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	outside := t.TempDir() + "/site.conf"
	is.NoErr(os.WriteFile(outside, []byte("server { server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } }"), 0o644))
	for _, file := range []string{outside, "/etc/passwd", "relative.conf"} {
		_, err := h.Plan(t.Context(), engine.Adopt(file, "site"))
		is.True(errors.Is(err, code(engine.InvalidInput)))
	}
	_, err := h.Plan(t.Context(), engine.Adopt(h.SitesAvailable+"/none.conf", "site"))
	is.True(errors.Is(err, code(engine.NotFound)))
}
