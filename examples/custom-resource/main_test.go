package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

const hostsBefore = "127.0.0.1 localhost\n"

func TestTheFileTheRegistryAndTheRouteComeTogether(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	b := newBench(t)
	is.NoErr(run(t.Context(), b.options(), b.hosts, b.registry.URL, b.port, true))
	is.Equal(b.readHosts(), hostsBefore+blockStart+"127.0.0.1 shop.example.com\n"+blockEnd)
	is.Equal(b.registered("shop"), "http://shop.example.com")
	res, err := b.lab.Get("shop.example.com", "/name")
	is.NoErr(err)
	is.Equal(res.Body, "shop\n")

	eng, err := engine.Open(withOwn(b.options()))
	is.NoErr(err)
	req, err := wanted(b.hosts, b.registry.URL, b.port)
	is.NoErr(err)
	again, err := eng.Plan(t.Context(), req)
	is.NoErr(err)
	is.True(again.Empty()) // applied twice is applied once

	req, err = wanted(b.hosts, b.registry.URL, b.port)
	is.NoErr(err)
	req.Resources = engine.Resources{Hosts{File: b.hosts}, Registration{b.registry.URL, "shop", ""}}
	_, err = eng.Do(t.Context(), req)
	is.NoErr(err)
	is.Equal(b.readHosts(), hostsBefore) // and gone again, but for what others wrote
	is.Equal(b.registered("shop"), "")
}

func TestAFailureLaterInThePlanTakesBothBack(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	b := newBench(t)
	before := b.lab.Tree()
	o := b.options()
	o.Nginx.HTTPPort = b.lab.FreePort()
	release := b.lab.Occupy(o.Nginx.HTTPPort) // nginx -t accepts it, the reload does not
	defer release()
	err := run(t.Context(), o, b.hosts, b.registry.URL, b.port, true)
	is.True(errors.Is(err, &engine.Error{Code: engine.NginxReloadFailed}))
	is.Equal(engine.OutcomeOf(err), engine.Undone)
	is.Equal(b.readHosts(), hostsBefore)
	is.Equal(b.registered("shop"), "")
	is.Equal(b.lab.Tree().Diff(before), "")
}

func TestAPlanIsStaleOnceTheRegistryHasChanged(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	b := newBench(t)
	eng, err := engine.Open(withOwn(b.options()))
	is.NoErr(err)
	req, err := wanted(b.hosts, b.registry.URL, b.port)
	is.NoErr(err)
	p, err := eng.Plan(t.Context(), req)
	is.NoErr(err)
	_, err = registry(b.registry.URL).set(t.Context(), "shop", "http://elsewhere", "")
	is.NoErr(err)
	_, err = eng.Apply(t.Context(), p)
	is.True(errors.Is(err, &engine.Error{Code: engine.StalePlan}))
	is.Equal(b.readHosts(), hostsBefore)
}

// A process is killed right after it has told the registry, before it could write the receipt down. The next one finds
// the journal and takes everything back.
func TestAKilledApplyIsTakenBackByTheNextProcess(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	b := newBench(t)
	before := b.lab.Tree()
	cmd := exec.Command(os.Args[0], "-test.run=^TestApplyAndDie$")
	cmd.Env = append(os.Environ(), append(b.lab.Env(), "CUSTOM_RESOURCE_DIE="+strings.Join([]string{b.hosts, b.registry.URL, strconv.Itoa(b.port)}, "|"))...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	is.True(errors.As(err, &exit))
	if ws := exit.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended by itself: %v\n%s", err, out)
	}
	is.Equal(b.registered("shop"), "http://shop.example.com") // it got as far as that

	eng, err := engine.Open(withOwn(b.options()))
	is.NoErr(err)
	found, err := eng.Recover(t.Context())
	is.NoErr(err)
	is.True(found.RolledBack)
	is.Equal(b.registered("shop"), "")
	is.Equal(b.readHosts(), hostsBefore)
	is.Equal(b.lab.Tree().Diff(before), "")
}

// TestApplyAndDie is the process that is killed.
func TestApplyAndDie(t *testing.T) {
	args := strings.Split(os.Getenv("CUSTOM_RESOURCE_DIE"), "|")
	if len(args) != 3 {
		t.Skip("only the test above runs this")
	}
	port, err := strconv.Atoi(args[2])
	if err != nil {
		t.Fatal(err)
	}
	o := withOwn(optionsFromEnv())
	o.Kinds = []engine.StepKind{fatalAnnounce{}}
	eng, err := engine.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	req, err := wanted(args[0], args[1], port)
	if err != nil {
		t.Fatal(err)
	}
	_, err = eng.Do(t.Context(), req)
	t.Fatalf("it is still alive: %v", err)
}

type fatalAnnounce struct{ Announce }

func (k fatalAnnounce) Do(ctx context.Context, host *engine.Host, step plan.Step) (json.RawMessage, error) {
	if _, err := k.Announce.Do(ctx, host, step); err != nil {
		return nil, err
	}
	return nil, syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

func optionsFromEnv() engine.Options {
	port := func(name string) int { n, _ := strconv.Atoi(os.Getenv(name)); return n }
	return engine.Options{
		Nginx: engine.NginxOptions{
			Bin: os.Getenv("NGINX_BIN"), Conf: os.Getenv("NGINX_CONF"),
			SitesAvailable: os.Getenv("NGINX_SITES_AVAILABLE"), SitesEnabled: os.Getenv("NGINX_SITES_ENABLED"),
			HTTPPort: port("NGINX_HTTP_PORT"), HTTPSPort: port("NGINX_HTTPS_PORT"),
		},
		State: engine.StateOptions{Dir: os.Getenv("PROXY_MANAGER_STATE_DIR")},
	}
}

// A bench is a lab with a service, a hosts file and a registry.
type bench struct {
	t        *testing.T
	lab      *enginetest.Lab
	port     int
	hosts    string
	registry *httptest.Server
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, lab: enginetest.Start(t, enginetest.Options{}), registry: newRegistry(t)}
	b.port = b.lab.Upstream("shop").Port()
	b.hosts = filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(b.hosts, []byte(hostsBefore), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) options() engine.Options { return b.lab.EngineOptions() }

func (b *bench) readHosts() string {
	text, err := os.ReadFile(b.hosts)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func (b *bench) registered(service string) string {
	e, err := registry(b.registry.URL).get(context.Background(), service)
	if err != nil {
		b.t.Fatal(err)
	}
	return e.Endpoint
}

// newRegistry starts a registry that keeps its entries in memory.
func newRegistry(t *testing.T) *httptest.Server {
	var mu sync.Mutex
	entries, revisions := map[string]entry{}, 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := strings.TrimPrefix(r.URL.Path, "/services/")
		e, there := entries[name]
		if want := r.Header.Get("If-Match"); want != "" && want != e.Revision {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		switch r.Method {
		case http.MethodDelete:
			delete(entries, name)
			there = false
		case http.MethodPut:
			if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			revisions++
			e.Revision = fmt.Sprint(revisions)
			entries[name], there = e, true
		}
		if !there {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(e)
	}))
	t.Cleanup(srv.Close)
	return srv
}
