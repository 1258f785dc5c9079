package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// B1.
func TestNoSiteThatPeopleReachAsTheDefaultIsTakenOffTheAir(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, names string
		refused     bool
		answer      string // to a name that nobody has; empty for none
		told        string
	}{
		"a site without a name that is read first stays the default": {"aaa.conf", "", false, "hand", ""},
		"one that would be read after a route is not pushed aside":   {"zzz.conf", "", true, "hand", "zzz.conf:1"},
		"nor is one that is called _":                                {"zzz.conf", "_", true, "hand", "default_server"},
		"a named site that was the default by its place is told of":  {"aaa.conf", "hand.example.test", false, "", "aaa.conf:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			ctx := context.Background()
			lab := enginetest.Start(t, enginetest.Options{})
			site := fmt.Sprintf("server { listen %d; server_name %s; return 200 hand; }\n", lab.HTTPPort, c.names)
			if c.names == "" {
				site = fmt.Sprintf("server { listen %d; return 200 hand; }\n", lab.HTTPPort)
			}
			is.NoErr(os.WriteFile(filepath.Join(lab.SitesEnabled, c.file), []byte(site), 0o644))
			is.NoErr(lab.ReloadNginx())
			e := open(t, lab)
			p, err := e.Plan(ctx, engine.Put(route(t, "shop", lab.Upstream("shop").Port())))
			if c.refused {
				is.True(errors.Is(err, code(engine.InvalidInput)))
				is.True(strings.Contains(err.Error(), c.told))
			} else {
				is.NoErr(err)
				is.True(strings.Contains(strings.Join(p.Warnings, "\n"), c.told))
				_, err = e.Apply(ctx, p)
				is.NoErr(err)
				got, err := lab.Get("shop.example.test", "/name")
				is.NoErr(err)
				is.Equal(string(got.Body), "shop\n")
			}
			got, err := lab.Get("nobody.example.test", "/")
			if c.answer == "" {
				is.True(err != nil) // 444
				return
			}
			is.NoErr(err)
			is.Equal(string(got.Body), c.answer)
		})
	}
}

// A13.
func TestWhatWasBrokenBeforeIsNotToldAsBrokenByTheChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	cert, key := lab.Certificate("hand.example.test")
	is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "hand.conf"), fmt.Appendf(nil,
		"server { listen %d ssl; server_name hand.example.test; ssl_certificate %s; ssl_certificate_key %s; return 200 hand; }\n", lab.HTTPSPort, cert, key), 0o644))
	e := open(t, lab)
	up := lab.Upstream("alpha")
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	is.NoErr(os.Remove(cert))
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.True(errors.Is(err, code(engine.NginxBroken)))
	is.True(strings.Contains(err.Error(), "before anything was changed"))
	is.Equal(lab.Tree().Diff(before), "")
}
