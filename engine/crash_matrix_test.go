package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"testing"

	flags "flag"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

var (
	full = flags.Bool("full", false, "crash in every combination, where the tests else take a sample")
	seed = flags.Uint64("seed", 1, "of the sample")
)

// A scenario is one change of a host in some state.
type scenario struct {
	name   string
	before []Request
	change func(h *memoryHost) Request
	// fail makes nginx refuse the change, so that it is undone.
	fail func(*memoryServer)
	// noLinks: the file system has no hard links.
	noLinks bool
	// oneSync: the new files count as many.
	oneSync bool
}

func always(r Request) func(*memoryHost) Request { return func(*memoryHost) Request { return r } }

func apply(routes ...resources.Route) Request {
	return Request{Operation: "apply", Routes: routes, Issue: true}
}

func scenarios(t testing.TB) []scenario {
	r := func(name string, change ...func(*resources.RouteFields)) resources.Route {
		return memoryRoute(t, name, change...)
	}
	two := []Request{apply(r("a"), r("b"))}
	mixed := apply(r("a", withPort(8002)), r("c"), r("d", disabled))
	return []scenario{
		{name: "the first routes", change: always(apply(r("a"), r("b")))},
		{name: "one more", before: two, change: always(Put(r("c")))},
		{name: "changes", before: two, change: always(apply(r("a", withPort(8002)), r("b", withPort(8003))))},
		{name: "a deletion", before: two, change: always(Delete("a"))},
		{name: "a route is disabled", before: two, change: always(Put(r("a", disabled)))},
		{name: "the last enabled route is disabled", before: []Request{apply(r("a"))}, change: always(Put(r("a", disabled)))},
		{name: "a route is enabled", before: []Request{apply(r("a", disabled))}, change: always(Put(r("a")))},
		{name: "the last routes go", before: two, change: always(Destroy())},
		{name: "HTTPS in two phases", change: always(apply(r("a", withSSL)))},
		{name: "all at once", before: two, change: always(mixed)},
		{name: "a rollback", before: append(two, mixed), change: func(h *memoryHost) Request { return Rollback(h.id()) }},
		{name: "a resource of one's own", before: two, change: func(*memoryHost) Request {
			req := Put(r("c"))
			req.Resources = Resources{flag{memoryNginx + "/flag"}}
			return req
		}},
		{name: "a refused test is undone", before: two, change: always(mixed), fail: func(s *memoryServer) { s.refuse = true }},
		{name: "a refused reload is undone", before: two, change: always(mixed), fail: func(s *memoryServer) { s.bind = true }},
		{name: "a refused reload is undone without hard links", before: two, change: always(mixed), fail: func(s *memoryServer) { s.bind = true }, noLinks: true},
		{name: "the first routes with one sync for all", change: always(apply(r("a"), r("b"))), oneSync: true},
	}
}

// prepare returns the host as it is before the change.
func (s scenario) prepare(t testing.TB) *memoryHost {
	t.Helper()
	h := newMemoryHost(t)
	for _, req := range s.before {
		_, err := h.open(t).Do(context.Background(), req)
		must(t, err)
	}
	h.disk.NoLinks = s.noLinks
	return h // what the applies before have not made durable is not
}

// start returns what makes the change.
func (s scenario) start(t testing.TB, h *memoryHost) (change func() error) {
	t.Helper()
	req := s.change(h)
	e := h.open(t)
	if s.oneSync {
		e.journals.ManyFiles = 1
	}
	e.noteGood(t) // so that nginx -t, which may fail below, is asked for the change alone
	if s.fail != nil {
		s.fail(h.nginx)
	}
	return func() error {
		_, err := e.Do(context.Background(), req)
		return err
	}
}

// noteGood tells the engine that nginx has accepted what is on the disk.
func (e *Engine) noteGood(t testing.TB) {
	t.Helper()
	s, err := e.survey(context.Background())
	must(t, err)
	e.tested = s.obs.Contents()
}

func (h *memoryHost) watch(f func()) []*memoryHost {
	var moments []*memoryHost
	h.disk.Before = func(op crashfs.Op) error {
		if op.Changes {
			moments = append(moments, h.clone())
		}
		return nil
	}
	f()
	h.disk.Before = nil
	return append(moments, h.clone())
}

// A matrix crashes one scenario everywhere.
type matrix struct {
	t         testing.TB
	name      string
	id        string // of the apply
	state     string // the state directory
	before    map[string]string
	after     map[string]string
	decided   *bool // whether the apply that is being recovered had been committed, if that was certain
	random    *rand.Rand
	visited   map[[32]byte]bool
	shallow   bool // recovery itself is left in peace
	mu        sync.Mutex
	points    int
	recovered int // of those, how many said that recovery was needed
	crashes   int
	restored  int // came back as before
	kept      int // came out as after
	wrong     []string
}

// newMatrix makes the change once, with nothing in its way. It returns the host as it was before, and the moments: the
// host just before each call that changes the disk, and at the end.
func newMatrix(t testing.TB, s scenario) (*matrix, *memoryHost, []*memoryHost) {
	t.Helper()
	h := s.prepare(t)
	pristine := h.clone()
	m := &matrix{t: t, name: s.name, state: h.state, before: h.configuration(), random: rand.New(rand.NewPCG(*seed, 0)), visited: map[[32]byte]bool{}}
	var err error
	change := s.start(t, h)
	moments := h.watch(func() { err = change() })
	if (err != nil) != (s.fail != nil) {
		t.Fatalf("%s: %v", s.name, err)
	}
	m.id, m.after = h.id(), h.configuration()
	if s.fail != nil && difference(m.after, m.before) != "" {
		t.Fatalf("%s: not undone: %s", s.name, difference(m.after, m.before))
	}
	if s.fail == nil && difference(m.after, m.before) == "" {
		t.Fatalf("%s: nothing was changed", s.name)
	}
	return m, pristine, moments
}

// crash lets the power fail at each moment, in several ways, and recovers.
func (m *matrix) crash(moments []*memoryHost, depth int) {
	for i, h := range moments {
		m.points++
		ways := h.disk.Choices()
		for _, pick := range m.picks(ways, depth) {
			m.crashes++
			image := h.on(h.disk.Crash(pick))
			image.nginx.loaded = nil
			if m.seen(image) {
				continue
			}
			where := fmt.Sprintf("%s: crash %d of %d, %v", m.name, i+1, len(moments), pick)
			if err := image.nginx.boot(); err != nil {
				m.fail("%s: nginx does not start: %v", where, err)
				continue
			}
			m.recover(image, where, depth)
		}
		// A killed program leaves everything as it sees it, durable or not, and nginx runs on.
		m.crashes++
		if image := h.clone(); !m.seen(image) {
			m.recover(image, fmt.Sprintf("%s: kill %d of %d", m.name, i+1, len(moments)), depth)
		}
	}
}

// seen reports whether such a host has been recovered already.
func (m *matrix) seen(h *memoryHost) bool {
	key := h.fingerprint()
	seen := m.visited[key]
	m.visited[key] = true
	return seen
}

func (m *matrix) fail(format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func allOf(ways []int) []int {
	pick := make([]int, len(ways))
	for i := range pick {
		pick[i] = 1
	}
	return pick
}

// picks returns in which ways to crash: all, where they are few, and else none and all, each alone and all but each, and
// some at random.
func (m *matrix) picks(ways []int, depth int) [][]int {
	limit := map[bool]int{true: 256, false: 8 >> depth}[*full]
	product := 1
	for _, n := range ways {
		if product *= n; product > limit {
			break
		}
	}
	if product <= limit {
		return combinations(ways)
	}
	picks := [][]int{make([]int, len(ways)), allOf(ways)}
	if *full || m.shallow {
		for i := range ways {
			alone, but := make([]int, len(ways)), allOf(ways)
			alone[i], but[i] = 1, 0
			picks = append(picks, alone, but)
		}
	}
	for range limit / 4 {
		pick := make([]int, len(ways))
		for i, n := range ways {
			pick[i] = m.random.IntN(n)
		}
		picks = append(picks, pick)
	}
	return picks
}

func combinations(ways []int) [][]int {
	all := [][]int{{}}
	for _, n := range ways {
		var longer [][]int
		for _, pick := range all {
			for way := range n {
				longer = append(longer, append(append([]int{}, pick...), way))
			}
		}
		all = longer
	}
	return all
}

// recover starts the program on what a crash left, and checks what it makes of it.
func (m *matrix) recover(image *memoryHost, where string, depth int) {
	want, name := m.before, "before"
	applied := m.committed(image.disk)
	if applied {
		want, name = m.after, "after"
		m.kept++
	} else {
		m.restored++
	}
	// What was certain once stays so: a commit record on the disk, or that there is none, not even in memory.
	if certain := m.committed(image.disk.Crash(make([]int, len(image.disk.Choices())))); certain == applied {
		if m.decided != nil && *m.decided != applied {
			m.fail("%s: it was decided otherwise before", where)
			return
		}
		defer func(before *bool) { m.decided = before }(m.decided)
		m.decided = &applied
	}
	moments, err := image.recovered(m.t)
	if err != nil {
		m.fail("%s: recover: %v", where, err)
		return
	}
	if problem := m.check(image, want, applied); problem != "" {
		m.fail("%s: should be as %s: %s", where, name, problem)
		return
	}
	if depth == 0 && !m.shallow && len(moments) > 1 && (*full || m.random.IntN(40) == 0) {
		outer := m.name
		m.name = where
		m.crash(moments, depth+1)
		m.name = outer
	}
}

func (h *memoryHost) recovered(t testing.TB) (moments []*memoryHost, err error) {
	e := h.open(t)
	moments = h.watch(func() { _, err = e.Recover(context.Background()) })
	return moments, err
}

// committed reports whether the apply had its commit record on a disk. The record alone decides.
func (m *matrix) committed(disk *crashfs.FS) bool {
	for _, dir := range []string{"journal", "history"} {
		b, err := disk.ReadFile(path.Join(m.state, dir, m.id))
		if err != nil {
			continue
		}
		records, err := journal.Parse(b)
		return err == nil && len(records) > 0 && records[len(records)-1].Type == journal.Committed
	}
	return false
}

// check says what is wrong with a host after recovery.
func (m *matrix) check(h *memoryHost, want map[string]string, applied bool) string {
	if d := difference(h.configuration(), want); d != "" {
		return d
	}
	loaded, err := enabledOn(h.disk)
	if err != nil {
		return "nginx refuses it: " + err.Error()
	}
	if !maps.Equal(loaded, h.nginx.loaded) {
		return "nginx serves something else than the files say"
	}
	for name := range h.disk.Tree(h.state) {
		if strings.HasPrefix(name, path.Join(h.state, "journal")+"/") {
			return name + " is left"
		}
	}
	disk := h.disk.Fingerprint()
	again, err := h.open(m.t).Recover(context.Background())
	if err != nil || again != nil || h.disk.Fingerprint() != disk {
		return fmt.Sprintf("a second recovery does something: %v, %v", again, err)
	}
	return m.checkHistory(h, applied)
}

// checkHistory says what is wrong with what the history tells.
func (m *matrix) checkHistory(h *memoryHost, applied bool) string {
	entries, err := h.open(m.t).History()
	if err != nil {
		return err.Error()
	}
	for _, entry := range entries {
		if entry.ID == m.id && (entry.Result == EntryUndone) == applied {
			return fmt.Sprintf("the history says %q", entry.Result)
		}
	}
	if applied && (len(entries) == 0 || entries[0].ID != m.id) {
		return "the apply is missing in the history"
	}
	return ""
}

func TestCrashMatrix(t *testing.T) {
	total := &matrix{}
	t.Run("each", func(t *testing.T) {
		for _, s := range scenarios(t) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				m, _, moments := newMatrix(t, s)
				m.crash(moments, 0)
				total.add(m)
				m.report()
			})
		}
	})
	t.Logf("crash matrix: %d crash points, crashed in %d ways, %d different disks: %d ended before, %d after, %d wrong",
		total.points, total.crashes, total.restored+total.kept, total.restored, total.kept, len(total.wrong))
}

func (m *matrix) report() {
	for i, wrong := range m.wrong {
		if m.t.Error(wrong); i == 5 {
			m.t.Fatalf("and %d more", len(m.wrong)-i-1)
		}
	}
}

func (m *matrix) add(o *matrix) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.points, m.crashes, m.restored, m.kept = m.points+o.points, m.crashes+o.crashes, m.restored+o.restored, m.kept+o.kept
	m.recovered += o.recovered
	m.wrong = append(m.wrong, o.wrong...)
}
