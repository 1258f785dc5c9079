package facade_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"runtime/metrics"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// spent is the CPU time of this process: unlike the clock, it takes no notice of what else the machine does.
func spent() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peak returns by how much the memory in use grew at most while f ran, and how much CPU time it took.
func peak(f func()) (grown int64, took time.Duration) {
	before := heap()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var most atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			metrics.Read(sample)
			most.Store(max(most.Load(), int64(sample[0].Value.Uint64())))
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	begin := spent()
	f()
	took = spent() - begin
	close(stop)
	<-done
	return most.Load() - before, took
}

// manyRoutes is a desired state of so many routes that nginx does not read.
func manyRoutes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,{"droplet_name":"d%d","domain":"d%d.example.test","upstream_port":80,"require_healthy":false,"enabled":false}`, i, i)
	}
	return `{"routes":[` + b.String()[1:] + `]}`
}

func TestFifteenMegabytesOfGarbageCostLittle(t *testing.T) {
	is := is.New(t)
	c := start(t)
	const size = 15_700_000
	fill := func(head, unit, tail string) string { return head + strings.Repeat(unit, size/len(unit)) + tail }
	for name, body := range map[string]string{
		"empty routes":       fill(`{"routes":[{}`, `,{}`, `]}`),
		"good routes":        fill(`{"routes":[{}`, `,{"droplet_name":"a","domain":"a.example.test","upstream_port":80}`, `]}`),
		"empty steps":        fill(`{"format_version":"1.0","steps":[{}`, `,{}`, `]}`),
		"empty fingerprints": fill(`{"format_version":"1.0","fingerprints":[{}`, `,{}`, `]}`),
		"empty aliases":      fill(`{"routes":[{"aliases":[""`, `,""`, `]}]}`),
		"null":               fill(`{"routes":[null`, `,null`, `]}`),
		"keys":               fill(`{"a":1`, `,"a":1`, `}`),
		"brackets":           fill(``, `[`, ``),
		"braces":             fill(``, `{"a":`, ``),
		"one text":           fill(`{"routes":"`, `x`, `"}`),
		"escapes":            fill(`{"routes":"`, `\u0000`, `"}`),
		"spaces":             fill(`{"routes":`, ` `, `7}`),
		"a half text":        fill(`{"routes":"`, `x`, ``),
	} {
		for _, path := range []string{"/plan", "/apply"} {
			var r reply
			grown, took := peak(func() { r = c.do("POST", path, body) })
			is.True(r.status == 400 || r.status == 413)
			is.True(len(r.body) < 5000)
			if grown > 200<<20 || took > 2*time.Second {
				t.Errorf("POST %s of %s: %d MB, %s", path, name, grown>>20, took)
			}
		}
	}
}

func TestTheListOfTenThousandRoutesIsThereOnceForAllWhoAreSlowToReadIt(t *testing.T) {
	is := is.New(t)
	c := start(t)
	r := c.do("POST", "/apply", manyRoutes(10_000))
	is.Equal(r.status, 200)
	size := len(c.do("GET", "/proxies", "").body)
	is.True(size > 2<<20)
	var conns []net.Conn
	grown, took := peak(func() {
		for i := range 400 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(c.base, "http://"))
			is.NoErr(err)
			conns = append(conns, conn)
			what := []string{"GET /proxies", "GET /metrics", "DELETE /proxies/d1?dry_run=true"}[i%3]
			_, err = io.WriteString(conn, what+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			is.NoErr(err)
		}
		time.Sleep(3 * time.Second)
		begin := time.Now()
		is.Equal(c.do("GET", "/health", "").status, 200)
		is.Equal(len(c.do("GET", "/proxies", "").body), size)
		is.True(time.Since(begin) < time.Second)
	})
	for _, conn := range conns {
		conn.Close()
	}
	t.Logf("%d bytes to 400 clients: %d MB, %s", size, grown>>20, took)
	is.True(grown < 200<<20)
}

func TestAPlanOfTenThousandRoutesIsBounded(t *testing.T) {
	is := is.New(t)
	c := start(t)
	var r reply
	body := strings.ReplaceAll(manyRoutes(10_000), `,"enabled":false`, "")
	grown, took := peak(func() { r = c.do("POST", "/plan", body) })
	is.Equal(r.status, 200)
	t.Logf("a plan of %d bytes: %d MB, %s", len(r.body), grown>>20, took)
	is.True(len(r.body) < 48<<20)
	is.True(strings.Contains(r.body, "diffs of"))
	r = c.do("POST", "/plan", manyRoutes(12_001))
	is.Equal(r.code(t), "PAYLOAD_TOO_LARGE")
	is.Equal(r.detail(t, "limit"), 12_000.0)
}

func TestStatesThatComeAllAtOnceWaitForTheirTurnOrAreToldSo(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	address := strings.TrimPrefix(c.base, "http://")
	for range 4 { // slow to send
		conn, err := net.Dial("tcp", address)
		is.NoErr(err)
		defer conn.Close()
		_, err = io.WriteString(conn, "POST /plan HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
		is.NoErr(err)
	}
	large := `{"routes":[]}` + strings.Repeat(" ", 300_000)
	c.until(func() bool { return c.do("POST", "/plan", large).status == 429 })
	r := c.do("POST", "/apply", large)
	is.Equal(r.status, 429)
	is.Equal(r.code(t), "TOO_MANY_REQUESTS")
	is.Equal(r.header.Get("Retry-After"), "1")
	is.Equal(c.do("GET", "/proxies", "").status, 200) // the others go on
	is.Equal(c.do("POST", "/apply", `{"routes":[]}`).status, 200)
	c.put("alpha", c.lab.Upstream("alpha").Port())
}

func TestAnswersFromOneKilobyteOnAreCompressedForWhoTakesThat(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("up")
	for i := range 4 {
		c.put(fmt.Sprint("r", i), up.Port())
	}
	plain := func(path, accept string) reply {
		return c.do("GET", path, "", "Accept-Encoding", accept)
	}
	for _, path := range []string{"/proxies", "/metrics", "/openapi.json", "/capabilities"} {
		whole := plain(path, "identity")
		is.Equal(whole.header.Get("Content-Encoding"), "")
		is.Equal(whole.header.Get("Vary"), "Accept-Encoding")
		for _, accept := range []string{"gzip", "br, GZIP;q=0.5", "*", "x-gzip"} {
			r := plain(path, accept)
			is.Equal(r.header.Get("Content-Encoding"), "gzip")
			is.Equal(r.header.Get("Vary"), "Accept-Encoding")
			is.True(len(r.body) < len(whole.body))
			z, err := gzip.NewReader(strings.NewReader(r.body))
			is.NoErr(err)
			b, err := io.ReadAll(z)
			is.NoErr(err)
			if path != "/metrics" {
				is.Equal(string(b), whole.body)
			}
		}
		for _, accept := range []string{"gzip;q=0", "gzip; q=0.0, *", "br", "*;q=0"} {
			is.Equal(plain(path, accept).header.Get("Content-Encoding"), "")
		}
	}
	is.Equal(plain("/health", "gzip").header.Get("Content-Encoding"), "") // it is short
	r := c.do("POST", "/plan", `{"routes":[]}`, "Accept-Encoding", "gzip")
	is.Equal(r.header.Get("Content-Encoding"), "gzip")
}

func TestWhoHasTheListKeepsIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	up := c.lab.Upstream("up")
	empty := c.do("GET", "/proxies", "").header.Get("ETag")
	c.put("alpha", up.Port())
	r := c.do("GET", "/proxies", "")
	tag := r.header.Get("ETag")
	is.True(tag != empty)
	is.Equal(c.do("GET", "/proxies", "", "If-None-Match", empty).body, r.body)
	r = c.do("GET", "/proxies", "", "If-None-Match", tag)
	is.Equal(r.status, 304)
	is.Equal(r.body, "")
	is.Equal(c.do("DELETE", "/proxies/alpha", "").status, 200)
	is.Equal(c.do("GET", "/proxies", "", "If-None-Match", tag).header.Get("ETag"), empty)
}
