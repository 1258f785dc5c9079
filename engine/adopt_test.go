package engine_test

import (
	"context"
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
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("shop")
	e := open(t, lab)
	is.NoErr(lab.Site("shop.conf", fmt.Sprintf(`
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
`, up.Port(), lab.HTTPPort)))
	is.NoErr(lab.ReloadNginx())
	before := lab.Tree()

	p, err := e.Plan(ctx, engine.Adopt(lab.SitesAvailable+"/shop.conf", "shop"))
	is.NoErr(err)
	is.Equal(lab.Tree(), before)
	is.Equal(p.Changes[0].Reason, "adopted from "+lab.SitesAvailable+"/shop.conf")
	warnings := strings.Join(p.Warnings, "\n")
	is.True(strings.Contains(warnings, "shop.conf:7: not kept: gzip on"))
	is.True(strings.Contains(warnings, "shop.conf:11: not kept: proxy_set_header X-Team shop"))
	is.Equal(len(p.Warnings), 2)

	res, err := e.Apply(ctx, p)
	is.NoErr(err)
	st, err := e.Route(ctx, "shop")
	is.NoErr(err)
	is.Equal(st.Status, engine.Active)
	f := st.Route.Fields()
	is.Equal(f.Domain, "shop.example.test")
	is.Equal(f.Aliases, []string{"www.shop.example.test"})
	is.Equal(f.UpstreamPort, up.Port())
	is.Equal(f.MaxBodySize, "20m")
	is.Equal(f.ReadTimeout, "90s")
	for _, name := range []string{"available", "enabled"} {
		_, err = os.Lstat(lab.Dir + "/nginx/sites-" + name + "/shop.conf")
		is.True(errors.Is(err, os.ErrNotExist))
	}
	got, err := lab.Get("www.shop.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "shop\n")
	again, err := e.Plan(ctx, engine.Put(st.Route))
	is.NoErr(err)
	is.True(again.Empty()) // nothing is left to do, not even a default server

	_, err = e.Do(ctx, engine.Rollback(res.ID))
	is.NoErr(err)
	is.Equal(lab.Tree(), before)
}

func TestAnEditIsAdoptedIntoTheRoute(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up, other := lab.Upstream("alpha"), lab.Upstream("other")
	e := open(t, lab)
	long := strings.Repeat("long-", 10) + "name.example.test"
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port(), func(f *resources.RouteFields) { f.Aliases, f.UpstreamHost = []string{long}, "localhost" })))
	is.NoErr(err)
	file := lab.SitesAvailable + "/fpai-alpha.conf"
	b, err := os.ReadFile(file)
	is.NoErr(err)
	edited := strings.ReplaceAll(string(b), fmt.Sprint(":", up.Port()), fmt.Sprint(":", other.Port()))
	edited = strings.Replace(edited, "client_max_body_size 100m", "client_max_body_size 5m;\n    gzip on", 1)
	is.True(edited != string(b))
	is.NoErr(os.WriteFile(file, []byte(edited), 0o644))

	p, err := e.Plan(ctx, engine.Adopt(file, "alpha"))
	is.NoErr(err)
	is.Equal(len(p.Warnings), 1) // what the program writes by itself is no loss
	is.True(strings.HasSuffix(p.Warnings[0], "not kept: gzip on"))
	_, err = e.Apply(ctx, p)
	is.NoErr(err)
	st, err := e.Route(ctx, "alpha")
	is.NoErr(err)
	is.True(!st.Drifted)
	is.Equal(st.Route.Fields().UpstreamPort, other.Port())
	is.Equal(st.Route.Fields().UpstreamHost, "localhost")
	is.Equal(st.Route.Fields().MaxBodySize, "5m")
	is.Equal(st.Route.Fields().Aliases, []string{long})
	got, err := lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "other\n")
}

func TestASiteThatIsNotUnderstoodIsRefusedWithTheReason(t *testing.T) {
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	listen := fmt.Sprintf("listen %d; ", lab.HTTPPort)
	for name, c := range map[string]struct{ conf, reason string }{
		"files only":          {"server { " + listen + "server_name a.example.test; root /srv; }", "no proxy_pass"},
		"no name":             {"server { " + listen + "location / { proxy_pass http://127.0.0.1:1; } }", "no server_name"},
		"a pattern":           {"server { " + listen + "server_name *.example.test; location / { proxy_pass http://127.0.0.1:1; } }", "pattern"},
		"a regular one":       {"server { " + listen + "server_name ~^(www|api)\\.x\\.test$; location / { proxy_pass http://127.0.0.1:1; } }", "pattern"},
		"two upstreams":       {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } location /b { proxy_pass http://127.0.0.1:2; } }", "location /b"},
		"several servers":     {"upstream u { server 127.0.0.1:1; server 127.0.0.1:2; } server { " + listen + "server_name a.example.test; location / { proxy_pass http://u; } }", "2 servers"},
		"a path":              {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://127.0.0.1:1/app/; } }", "changes the path"},
		"a variable":          {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://$host:1; } }", "variables"},
		"a socket":            {"server { " + listen + "server_name a.example.test; location / { proxy_pass http://unix:/run/a.sock; } }", "not to a host"},
		"another port":        {"server { listen 8099; server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } }", "port 8099"},
		"another protocol":    {"server { " + listen + "server_name a.example.test; location / { fastcgi_pass 127.0.0.1:1; } }", "fastcgi_pass"},
		"no configuration":    {"server { " + listen, "site.conf:1"},
		"a name of the route": {"server { " + listen + "server_name localhost; location / { proxy_pass http://127.0.0.1:1; } }", "domain"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(os.WriteFile(lab.SitesAvailable+"/site.conf", []byte(c.conf), 0o644))
			before := lab.Tree()
			_, err := e.Do(ctx, engine.Adopt(lab.SitesAvailable+"/site.conf", "site"))
			is.True(errors.Is(err, code(engine.InvalidInput)))
			is.True(strings.Contains(err.Error(), c.reason)) // says why
			is.Equal(lab.Tree(), before)
		})
	}
}

func TestOnlySitesOfThisNginxAreAdopted(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	outside := t.TempDir() + "/site.conf"
	is.NoErr(os.WriteFile(outside, []byte("server { server_name a.example.test; location / { proxy_pass http://127.0.0.1:1; } }"), 0o644))
	for _, file := range []string{outside, "/etc/passwd", "relative.conf"} {
		_, err := e.Plan(ctx, engine.Adopt(file, "site"))
		is.True(errors.Is(err, code(engine.InvalidInput)))
	}
	_, err := e.Plan(ctx, engine.Adopt(lab.SitesAvailable+"/none.conf", "site"))
	is.True(errors.Is(err, code(engine.NotFound)))
}
