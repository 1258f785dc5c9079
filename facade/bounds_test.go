package facade_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/matryer/is"
)

// heap is what is in use once everything else is collected.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// madeUp is a plan that nobody has made, as JSON, though it is sealed as any other.
func madeUp(t testing.TB, operation string, change ...func(*plan.Plan)) string {
	t.Helper()
	request, _ := json.Marshal(map[string]any{"operation": operation, "keep_unlisted": true})
	p := &plan.Plan{FormatVersion: plan.FormatVersion, Operation: operation, Request: request}
	for _, f := range change {
		f(p)
	}
	if err := p.Seal(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestThousandsOfMadeUpNamesLeaveNothingBehind(t *testing.T) {
	is := is.New(t)
	c := start(t)
	ask := func(i int) {
		id := fmt.Sprintf("made-up-%d", i)
		is.True(c.do("POST", "/apply", madeUp(t, id)).status >= 400)
		is.Equal(c.do("GET", "/proxies/"+id, "", "X-Correlation-ID", id).status, 404)
		is.Equal(c.do("GET", "/"+id, "").status, 404)
		is.Equal(c.do(strings.ToUpper(id), "/proxies", "").status, 405)
		is.Equal(c.do("POST", "/message", fmt.Sprintf(`{"message_type":%q,"source":%[1]q,"trace_id":%[1]q}`, id)).status, 200)
	}
	for i := range 100 {
		ask(i)
	}
	c.log.Reset()
	before, series := heap(), strings.Count(c.do("GET", "/metrics", "").body, "\n")
	for i := range 1000 {
		ask(100 + i)
		if i%100 == 0 {
			c.log.Reset()
		}
	}
	c.log.Reset()
	text := c.do("GET", "/metrics", "").body
	is.True(strings.Count(text, "\n") <= series+3) // of this very endpoint
	is.True(strings.Contains(text, `operation="other"`))
	is.True(!strings.Contains(text, "made-up"))
	if grown := heap() - before; grown > 2<<20 {
		t.Errorf("%d bytes are left of 5,000 requests", grown)
	}
}

func TestNothingLongReachesTheLogOrComesBack(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	long := strings.Repeat("x", 2_000_000)
	r := c.do("POST", "/apply", madeUp(t, long))
	is.Equal(r.status, 400)
	is.Equal(r.detail(t, "field"), "operation")
	is.True(len(r.body) < 1000)
	for _, change := range []func(*plan.Plan){
		func(p *plan.Plan) { p.Fingerprints = []plan.Fingerprint{{Path: "/" + long, State: "x"}} },
		func(p *plan.Plan) {
			for i := range 50_000 {
				p.Fingerprints = append(p.Fingerprints, plan.Fingerprint{Path: fmt.Sprintf("/%09d", i), State: "x"})
			}
		},
		func(p *plan.Plan) { p.Steps = []plan.Step{{ID: long, Kind: long[:1000]}} },
		func(p *plan.Plan) { p.Request = json.RawMessage(`{"` + long + `":1}`) },
	} {
		body := madeUp(t, "apply", change)
		for _, path := range []string{"/apply", "/apply?dry_run=true"} {
			r := c.do("POST", path, body)
			is.True(r.status >= 400)
			is.True(len(r.body) < 20_000)
		}
	}
	is.True(c.do("POST", "/message", `{"message_type":"`+long[:1_000_000]+`"}`).status == 200)
	is.True(c.do(long[:10_000], "/proxies", "").status == 405)
	for line := range strings.Lines(c.log.String()) {
		if len(line) > 10_000 {
			t.Errorf("a line of %d bytes: %.300s", len(line), line)
		}
	}
}
