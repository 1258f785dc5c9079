package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestSyncRoutesWhatTheRegistryKnowsAndSaysWhatItSkips(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.Upstream("alpha").Port()
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `[{"name":"alpha","host":"127.0.0.1","port":%d,"domain":"alpha.example.test","status":"active"},
			{"name":"asleep","host":"127.0.0.1","port":%d,"domain":"asleep.example.test","status":"inactive"}]`, port, port)
	}))
	defer registry.Close()

	is.Equal(h.run("sync", "--auto-approve").code, 1) // no registry is configured
	before := h.Tree()
	planned := h.must("sync", "--dry-run", "--registry-url", registry.URL)
	is.True(strings.Contains(planned.stdout, "Plan: 3 to add"))
	is.Equal(h.Tree().Diff(before), "")

	got := h.must("sync", "--auto-approve", "--registry-url", registry.URL)
	is.True(strings.Contains(got.stderr, "Skipped asleep: not active"))
	is.True(strings.Contains(got.stdout, "1 route; 1 skipped"))
	answer, err := h.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(answer.Body, "alpha\n")

	lines := jsonLines(t, h.must("sync", "--auto-approve", "--json", "--registry-url", registry.URL).stdout)
	is.Equal(lines[len(lines)-1]["synced_count"], float64(1))
	is.Equal(lines[len(lines)-1]["skipped_count"], float64(1))
}
