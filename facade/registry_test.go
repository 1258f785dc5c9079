package facade_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

// registry starts a Registry that answers /droplets with what body returns.
func registry(t testing.TB, answer http.HandlerFunc) *httptest.Server {
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/droplets" {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(r.Close)
	return r
}

type synced struct {
	DryRun       bool `json:"dry_run"`
	Synced       []string
	SyncedCount  int `json:"synced_count"`
	Skipped      []struct{ Name, Reason string }
	SkippedCount int `json:"skipped_count"`
}

func (s synced) reason(name string) string {
	for _, one := range s.Skipped {
		if one.Name == name {
			return one.Reason
		}
	}
	return ""
}

func (c *client) sync(method, query string) synced {
	c.t.Helper()
	r := c.do(method, "/proxy-manager/sync-from-registry"+query, "")
	if r.status != 200 {
		c.t.Fatalf("sync: %d %s", r.status, r.body)
	}
	var s synced
	if err := json.Unmarshal([]byte(r.body), &s); err != nil {
		c.t.Fatal(err)
	}
	return s
}

func TestOneBadRecordOfTheRegistrySpoilsNoOther(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var body string
	reg := registry(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	c := start(t, setup{facade: func(o *facade.Options) { o.RegistryURL = reg.URL }})
	up, sick := c.lab.Upstream("up"), c.lab.Upstream("sick")
	sick.SetHealthy(false)
	c.put("kept", up.Port())
	record := func(name, domain string, port int, status string) string {
		return fmt.Sprintf(`{"name":%q,"host":"127.0.0.1","port":%d,"domain":%q,"status":%q,"unknown":1}`, name, port, domain, status)
	}
	body = "[" + strings.Join([]string{
		record("one", "one.example.test", up.Port(), "active"),
		record("off", "off.example.test", up.Port(), "inactive"),
		record("nodomain", "", up.Port(), "active"),
		record("bad name", "bad.example.test", up.Port(), "active"),
		record("inject", "a.test; } server {", up.Port(), "active"),
		record("sick", "sick.example.test", sick.Port(), "active"),
		record("thief", "kept.example.test", up.Port(), "active"),
		record("meta", "meta.example.test", 80, "active"),
		`{"name":"text","host":"127.0.0.1","port":"80","domain":"text.example.test"}`,
		`17`, `null`,
		record("one", "again.example.test", up.Port(), "active"),
		record("twin", "one.example.test", up.Port(), "active"),
		record("two", "two.example.test", up.Port(), "active"),
	}, ",") + "]"
	body = strings.Replace(body, `"name":"meta","host":"127.0.0.1"`, `"name":"meta","host":"169.254.169.254"`, 1)

	dry := c.sync("GET", "?dry_run=true")
	is.True(dry.DryRun)
	before := c.lab.Workers()
	s := c.sync("GET", "")
	is.Equal(s.Synced, []string{"one", "two"})
	is.Equal(dry.Synced, s.Synced)
	is.Equal(s.SyncedCount, 2)
	is.Equal(s.SkippedCount, len(s.Skipped))
	is.Equal(s.SkippedCount, 12)
	for _, one := range s.Skipped {
		is.True(one.Name != "" && one.Reason != "")
	}
	is.True(strings.Contains(s.reason("off"), "inactive"))
	is.True(strings.Contains(s.reason("sick"), "503"))
	is.True(strings.Contains(s.reason("thief"), "kept.example.test"))
	is.True(!slices.Equal(before, c.lab.Workers()))
	is.Equal(c.do("GET", "/proxies/kept", "").status, 200) // nothing is deleted
	is.Equal(c.do("GET", "/proxies/off", "").status, 404)

	is.True(strings.Contains(c.do("GET", "/metrics", "").body, "proxy_manager_reloads_total 2\n")) // kept, and one for the whole sync
	got, err := c.lab.Get("two.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n")

	// The other form, by POST; what the Registry does not know stays as it was put.
	is.Equal(c.do("PUT", "/proxies/one", strings.Replace(routeBody("one", up.Port(), `,"read_timeout":"5m"`), "127.0.0.1", "localhost", 1)).status, 200)
	body = fmt.Sprintf(`{"droplets":[{"id":7,"name":"one","endpoint":%q,"status":"active","metadata":{"domain":"one.example.test"}}],"total":1,"timestamp":"now"}`, up.URL())
	s = c.sync("POST", "")
	is.Equal(s.Synced, []string{"one"})
	m := c.do("GET", "/proxies/one", "").json(t)
	is.Equal(m["upstream_host"], "127.0.0.1")
	is.Equal(m["read_timeout"], "5m")
}

func TestARegistryThatRenamesItsDropletsIsToldWhoHasTheirDomains(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	const n = 300
	var records []string
	var body string
	reg := registry(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	c := start(t, setup{facade: func(o *facade.Options) { o.RegistryURL = reg.URL }})
	var routes []string
	for i := range n {
		routes = append(routes, strings.Replace(routeBody(fmt.Sprintf("d%d", i), 9, `,"require_healthy":false`), "{", fmt.Sprintf(`{"droplet_name":"d%d",`, i), 1))
		records = append(records, fmt.Sprintf(`{"name":"new%d","host":"127.0.0.1","port":9,"domain":"d%d.example.test"}`, i, i))
	}
	is.Equal(c.do("POST", "/apply", `{"routes":[`+strings.Join(routes, ",")+`]}`).status, 200)
	body = "[" + strings.Join(records, ",") + "]"
	begin := time.Now()
	s := c.sync("POST", "")
	is.True(time.Since(begin) < 2*time.Second)
	is.Equal(s.SkippedCount, n)
	is.True(strings.Contains(s.reason("new7"), "d7.example.test is that of the route d7"))

	// Domains that wander from one to the next are free, as long as none stays.
	up := c.lab.Upstream("up")
	record := func(name, domain string) string {
		return fmt.Sprintf(`{"name":%q,"host":"127.0.0.1","port":%d,"domain":"%s.example.test"}`, name, up.Port(), domain)
	}
	body = "[" + record("d0", "d1") + "," + record("d1", "d0") + "," + record("d2", "d3") + "," + record("d4", "d2") + "]"
	s = c.sync("POST", "")
	is.Equal(s.Synced, []string{"d0", "d1"})
	is.True(strings.Contains(s.reason("d2"), "of the route d3")) // which the Registry does not name
	is.True(strings.Contains(s.reason("d4"), "of the route d2")) // which therefore stays
}

func TestAForgedTokenAndASilentRegistryKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	reg := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(reg.Close)
	file := filepath.Join(t.TempDir(), "tokens")
	is.NoErr(os.WriteFile(file, []byte("ci:x\n"), 0o600))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile, o.RegistryURL = file, reg.URL }})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	is.NoErr(err)
	token := "Bearer " + sign(t, key, map[string]any{"alg": "RS256"}, map[string]any{"exp": time.Now().Add(time.Minute).Unix()})

	begin := time.Now()
	var forged sync.WaitGroup
	for range 7 {
		forged.Go(func() { is.Equal(c.do("GET", "/proxies", "", "Authorization", token).status, 401) })
	}
	for range 6 {
		is.Equal(c.do("GET", "/proxies", "", "Authorization", "Bearer x").status, 200)
	}
	is.True(time.Since(begin) < time.Second)
	forged.Wait()
	r := c.do("POST", "/proxy-manager/sync-from-registry", "", "Authorization", "Bearer x")
	is.Equal(r.code(t), "REGISTRY_UNAVAILABLE")
	is.True(time.Since(begin) < 10*time.Second) // either within five
}
