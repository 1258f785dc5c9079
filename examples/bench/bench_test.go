package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// TestEveryPartMeasures runs the whole program with a handful of routes: the numbers mean nothing, but each is there.
func TestEveryPartMeasures(t *testing.T) {
	is := is.New(t)
	binary := filepath.Join(t.TempDir(), "proxy-manager")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/fullpotential-ai/proxy-manager/cli/proxy-manager").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var text bytes.Buffer
	b := &bench{binary: binary, scale: tiny, table: &table{}, out: &text}
	is.NoErr(b.run(t.Context(), b.parts(), ""))
	for _, what := range []string{
		"PUT of one route, 3 there", "4 parallel PUTs", "plan without a change, 5 routes", "a durable apply", "memory of serve, 5 routes",
		"nginx -t, 5 generated routes", "3 new routes in one durable apply", "HTTP requests", "HTTPS requests", "applies under load", "bare SIGHUPs",
	} {
		is.True(strings.Contains(text.String(), what)) // in the table
	}
	readme := filepath.Join(t.TempDir(), "README.md")
	is.NoErr(os.WriteFile(readme, []byte("# Before\n\n<!-- performance -->\n\n## After\n"), 0o644))
	plot := filepath.Join(t.TempDir(), "cost.svg")
	is.NoErr(b.save(readme, benchPlace, plot))
	is.NoErr(b.save(readme, benchPlace, plot)) // replaces what the first wrote
	page, err := os.ReadFile(readme)
	is.NoErr(err)
	is.Equal(strings.Count(string(page), "PUT of one route, 3 there"), 1)
	is.True(strings.HasSuffix(string(page), "<!-- /performance -->\n\n## After\n")) // the rest of the page stays
	svg, err := os.ReadFile(plot)
	is.NoErr(err)
	is.True(bytes.HasPrefix(svg, []byte("<svg ")))
}

func TestRatiosAreOfOneRound(t *testing.T) {
	is := is.New(t)
	r := ratios(samples{2, 30, 6}, samples{1, 10, 2}) // the second round was slow for both
	is.Equal(r, samples{2, 3, 3})
	is.Equal(r.median(), 3.0)
	is.Equal(samples{4, 1, 3, 2}.median(), 2.5)
	is.Equal(samples{}.median(), 0.0)
}

func TestWhatWrkReports(t *testing.T) {
	is := is.New(t)
	report := []byte("    99%  1.50ms\n  17 requests in 1.00s, 1MB read\n  Socket errors: connect 0, read 2, write 0, timeout 1\n" +
		"  Non-2xx or 3xx responses: 3\nRequests/sec:  16.90\n")
	is.Equal(latency(report), 0.0015)
	is.Equal(float(rateLine, report), 16.9)
	is.Equal(float(statusLine, report), 3.0)
}
