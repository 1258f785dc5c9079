package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/matryer/is"
)

// counted has an engine drive nginx by a script that counts how often a configuration is tested.
func counted(t testing.TB, o *engine.Options) (tests func() int) {
	t.Helper()
	dir := t.TempDir()
	count, script := filepath.Join(dir, "count"), filepath.Join(dir, "nginx")
	text := fmt.Sprintf("#!/bin/sh\ncase \" $* \" in *' -t '*) echo >>%s;; esac\nexec %s \"$@\"\n", count, o.Nginx.Bin)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	o.Nginx.Bin = script
	return func() int {
		b, _ := os.ReadFile(count) // none yet
		return len(b)
	}
}

func TestNginxIsAskedAgainOnlyWhenSomethingThatItReadsHasChanged(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	certFile, keyFile := lab.Certificate("own.example.test")
	is.NoErr(lab.Site("own.conf", fmt.Sprintf("server { listen 127.0.0.1:%d ssl; server_name own.example.test; ssl_certificate %s; ssl_certificate_key %s; }\n", lab.FreePort(), certFile, keyFile)))
	var tests func() int
	now := time.Now()
	e := open(t, lab, func(o *engine.Options) {
		tests = counted(t, o)
		o.Clock = func() time.Time { return now }
	})
	probe := func(asked int, refused bool) {
		t.Helper()
		before := tests()
		for range 3 {
			if err := e.ProbeConfig(ctx); (err != nil) != refused {
				t.Fatal(err)
			}
		}
		if got := tests() - before; got != asked {
			t.Fatalf("nginx was asked %d times, not %d", got, asked)
		}
	}
	probe(1, false)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	probe(0, false) // the apply has asked
	_, err = open(t, lab).Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.NoErr(err)
	probe(1, false) // another program's has asked, too, but who knows?
	_, err = e.Do(ctx, engine.Delete("beta"))
	is.NoErr(err)
	probe(0, false)

	include := filepath.Join(lab.ConfD, "broken.conf")
	is.NoErr(os.WriteFile(include, []byte("nonsense;\n"), 0o644))
	probe(1, true)
	is.NoErr(os.Remove(include))
	probe(1, false)
	site := filepath.Join(lab.SitesAvailable, "fpai-alpha.conf")
	good, err := os.ReadFile(site)
	is.NoErr(err)
	is.NoErr(os.WriteFile(site, append(good, "nonsense;\n"...), 0o644))
	probe(1, true)
	is.NoErr(os.WriteFile(site, good, 0o644))
	probe(1, false)
	is.NoErr(os.Chtimes(site, now, now)) // its bytes are the same
	probe(0, false)
	key, err := os.ReadFile(keyFile)
	is.NoErr(err)
	is.NoErr(os.WriteFile(keyFile, []byte("no key\n"), 0o600))
	probe(1, true)
	is.NoErr(os.WriteFile(keyFile, key, 0o600))
	probe(1, false)
	is.NoErr(os.Remove(certFile))
	probe(1, true)
	now = now.Add(11 * time.Minute) // what a name resolves to may have changed
	probe(1, true)
}

func TestAnApplyThatRunsWasNotInterruptedAndNginxIsNotAskedMeanwhile(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	port := lab.Upstream("up").Port()
	var tests func() int
	e := open(t, lab, func(o *engine.Options) { tests = counted(t, o) })
	is.NoErr(e.ProbeConfig(ctx))
	interrupted := func() bool {
		found, err := e.Interrupted()
		is.NoErr(err)
		return found
	}
	is.True(!interrupted())

	c := child{Lab: lab}
	c.Hold, c.Port = true, port
	p := start(t, c)
	is.True(p.lines.Scan()) // it is in the middle of its apply
	before := tests()
	is.True(!interrupted())
	is.NoErr(e.ProbeConfig(ctx))
	is.Equal(tests(), before)
	planned, err := e.Plan(ctx, engine.Put(route(t, "alpha", port)))
	is.NoErr(err)
	is.True(!strings.Contains(fmt.Sprint(planned.Warnings), "interrupted"))

	p.kill()
	is.True(interrupted())
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", port)))
	is.NoErr(err)
	is.True(!interrupted())
}

// Whoever looks while changes come and go sees nothing that was not there before or after.
func TestHealthIsWellWhileRoutesComeAndGo(t *testing.T) {
	is := is.New(t)
	ctx := t.Context()
	lab := enginetest.Start(t, enginetest.Options{})
	port := lab.Upstream("up").Port()
	e, watcher := open(t, lab), open(t, lab) // a program of its own
	done := make(chan error, 1)
	go func() {
		for range 15 {
			if _, err := e.Do(ctx, engine.Put(route(t, "alpha", port))); err != nil {
				done <- err
				return
			}
			if _, err := e.Do(ctx, engine.Delete("alpha")); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for looks := 0; ; looks++ {
		select {
		case err := <-done:
			is.NoErr(err)
			is.True(looks > 20)
			return
		default:
		}
		for _, one := range []*engine.Engine{e, watcher} {
			interrupted, err := one.Interrupted()
			is.NoErr(err)
			is.True(!interrupted)
			if err := one.ProbeConfig(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
	}
}
