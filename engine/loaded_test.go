package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A1: sites that are restored from a backup keep the times of their content, and nginx knows nothing of them.
func TestARestoredBackupIsNotServedUntilNginxHasLoadedIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	one, two := lab.Upstream("one"), lab.Upstream("two")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", one.Port())))
	is.NoErr(err)
	file := filepath.Join(lab.SitesAvailable, "fpai-alpha.conf")
	backup, err := os.ReadFile(file)
	is.NoErr(err)
	info, err := os.Stat(file)
	is.NoErr(err)
	_, err = e.Do(ctx, engine.Put(route(t, "alpha", two.Port())))
	is.NoErr(err)

	time.Sleep(20 * time.Millisecond) // the kernel's clock ticks in between
	is.NoErr(os.WriteFile(file+".tar", backup, 0o644))
	is.NoErr(os.Chtimes(file+".tar", info.ModTime(), info.ModTime()))
	is.NoErr(os.Rename(file+".tar", file))

	fresh := open(t, lab)
	req := engine.Put(route(t, "alpha", one.Port())) // what the file says
	p, err := fresh.Plan(ctx, req)
	is.NoErr(err)
	is.True(!p.Empty())
	is.Equal(p.Changes[0].Reason, "nginx has not loaded it")
	st, err := fresh.Route(ctx, "alpha")
	is.NoErr(err)
	is.Equal(st.Status, engine.Unserved)
	drift, err := fresh.Drift(ctx)
	is.NoErr(err)
	is.Equal(drift[0].Kind, engine.NotLoaded)
	_, err = fresh.Apply(ctx, p)
	is.NoErr(err)
	got, err := lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(string(got.Body), "one\n")
	p, err = fresh.Plan(ctx, req)
	is.NoErr(err)
	is.True(p.Empty())
	st, err = fresh.Route(ctx, "alpha")
	is.NoErr(err)
	is.Equal(st.Status, engine.Active)
}

// A2.
func TestAnNginxThatDoesNotRunServesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	req := engine.Put(route(t, "alpha", lab.Upstream("alpha").Port()))
	_, err := e.Do(ctx, req)
	is.NoErr(err)
	is.NoErr(lab.StopNginx())
	p, err := e.Plan(ctx, req)
	is.NoErr(err)
	is.True(!p.Empty())
	is.True(strings.Contains(strings.Join(p.Warnings, "\n"), "nginx is not running"))
	_, err = e.Do(ctx, req)
	is.True(errors.Is(err, code(engine.NginxNotRunning)))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	list, err := e.Routes(ctx)
	is.NoErr(err)
	is.Equal(list[0].Status, engine.Unserved)
	is.NoErr(lab.StartNginx())
	p, err = e.Plan(ctx, req)
	is.NoErr(err)
	is.True(p.Empty()) // it has loaded everything when it was started
}

// A3.
func TestARouteThatAnotherSiteAnswersForIsNoSuccess(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 50) + ".example.test"
	for name, c := range map[string]struct{ site, domain string }{
		"a wildcard goes before a name that is too long to be hashed": {
			"server { listen %[1]d; server_name *.example.test; return 200 wildcard; }", long,
		},
		"a listener on one address goes before those on all": {
			"server { listen 127.0.0.9:%[1]d; server_name other.example.test; return 200 address; }", "alpha.example.test",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			ctx := context.Background()
			lab := enginetest.Start(t, enginetest.Options{})
			is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "hand.conf"), fmt.Appendf(nil, c.site+"\n", lab.HTTPPort), 0o644))
			before := lab.Tree()
			r := route(t, "alpha", lab.Upstream("alpha").Port())
			f := r.Fields()
			f.Domain = c.domain
			r, err := resources.NewRoute(f)
			is.NoErr(err)
			_, err = open(t, lab).Do(ctx, engine.Put(r))
			if strings.Contains(c.site, "127.0.0.9") {
				is.NoErr(err) // nobody comes from elsewhere by loopback
				return
			}
			is.True(errors.Is(err, code(engine.RouteNotServed)))
			is.Equal(engine.OutcomeOf(err), engine.Undone)
			is.Equal(lab.Tree().Diff(before), "")
		})
	}
}

// A6: the workers of somebody else's reload, whose parse began before our files were there, are not ours.
func TestAForeignReloadIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	var sites strings.Builder
	for i := range 300 {
		fmt.Fprintf(&sites, "server { listen %d; server_name h%d.example.test; return 200 h; }\n", lab.HTTPPort, i)
	}
	is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "many.conf"), []byte(sites.String()), 0o644))
	ports := []int{lab.Upstream("0").Port(), lab.Upstream("1").Port()}
	pid := lab.MasterPID()
	e := open(t, lab)
	for i := range 20 {
		foreign := time.AfterFunc(time.Duration(i*7)*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGHUP) })
		_, err := e.Do(ctx, engine.Put(route(t, "alpha", ports[i%2])))
		is.NoErr(err)
		for range 8 {
			got, err := lab.Get("alpha.example.test", "/name")
			is.NoErr(err)
			is.Equal(string(got.Body), strconv.Itoa(i%2)+"\n")
		}
		foreign.Stop()
	}
}

// A7.
func TestTwoMastersAreSeenAndNothingIsChanged(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	daemonise(t, lab)
	e := open(t, lab)
	up := lab.Upstream("alpha")
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	old := lab.MasterPID()
	is.NoErr(syscall.Kill(old, syscall.SIGUSR2))
	until(t, "there are two masters", func() bool {
		b, err := os.ReadFile(lab.PIDFile)
		return err == nil && strings.TrimSpace(string(b)) != strconv.Itoa(old)
	})
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "upgrade"))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	is.Equal(lab.Tree().Diff(before), "")
	is.NoErr(syscall.Kill(lab.MasterPID(), syscall.SIGQUIT)) // backed out
	until(t, "there is one master again", func() bool {
		b, err := os.ReadFile(lab.PIDFile)
		return err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(old)
	})
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.NoErr(err)
}

// daemonise has the lab's nginx run as a distribution runs it: a child of nobody's, which alone can upgrade its binary.
func daemonise(t *testing.T, lab *enginetest.Lab) {
	t.Helper()
	conf, err := os.ReadFile(lab.NginxConf)
	if err == nil {
		err = errors.Join(lab.StopNginx(), os.WriteFile(lab.NginxConf, []byte(strings.Replace(string(conf), "daemon off;", "", 1)), 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(lab.NginxBin, "-c", lab.NginxConf).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if pid := lab.MasterPID(); pid > 0 { // 0 would be this process's group
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	})
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// C1: what somebody else's listener waits for was there before, and is no undo that can't be finished.
func TestAnUndoIsFinishedWhereNginxRefusesAnyReload(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	up := lab.Upstream("alpha")
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port())))
	is.NoErr(err)
	port := lab.FreePort()
	release := lab.Occupy(port)
	defer release()
	is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "taken.conf"), fmt.Appendf(nil, "server { listen %d; server_name taken.example.test; }\n", port), 0o644))
	before := lab.Tree()
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.Equal(engine.OutcomeOf(err), engine.Undone)
	is.True(strings.Contains(err.Error(), strconv.Itoa(port))) // what nginx waits for
	is.Equal(lab.Tree().Diff(before), "")
	got, err := lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(string(got.Body), "alpha\n")
	found, err := e.Recover(ctx)
	is.NoErr(err)
	is.Equal(found, nil) // nothing is left to recover
	release()
	_, err = e.Do(ctx, engine.Put(route(t, "beta", up.Port())))
	is.NoErr(err)
}
