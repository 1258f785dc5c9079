package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// A brokenSite is a site of the caller's own that panics somewhere.
type brokenSite struct {
	Name  string
	where string
}

func (s brokenSite) panicIn(where string) {
	if s.where == where {
		panic("out of order")
	}
}

func (s brokenSite) Address() string {
	s.panicIn("Address")
	return "broken." + s.Name
}

func (s brokenSite) Enabled() bool {
	s.panicIn("Enabled")
	return true
}

func (s brokenSite) Claims() []Claim {
	s.panicIn("Claims")
	return nil
}

func (s brokenSite) MarshalText() ([]byte, error) {
	s.panicIn("MarshalText")
	return []byte(s.Name), nil
}

func (s brokenSite) Plan(_ context.Context, _ *host.Observer, b *Builder) error {
	s.panicIn("Plan")
	return b.Site([]byte("# nothing\n"))
}

// batchOf does requests in one batch, as they come when they come while another change is made.
func batchOf(e *Engine, reqs ...Request) []error {
	batch := make([]*change, len(reqs))
	for i, req := range reqs {
		batch[i] = &change{ctx: context.Background(), req: req, sites: []string{"site." + string(rune('a'+i))}, done: make(chan struct{})}
	}
	e.mu.Lock()
	e.queue, e.draining = append(e.queue, batch...), true
	e.mu.Unlock()
	e.drain()
	errs := make([]error, len(batch))
	for i, c := range batch {
		<-c.done
		errs[i] = c.err
	}
	return errs
}

func TestAResourceThatPanicsFailsItsOwnChangeAlone(t *testing.T) {
	for _, where := range []string{"Plan", "Address", "Enabled", "Claims", "MarshalText"} {
		is := is.New(t)
		ctx := context.Background()
		h := newMemoryHost(t)
		e := h.open(t)
		e.kinds["broken"] = kind{name: "broken", decode: func([]byte) (Resource, error) { return brokenSite{}, nil }}
		broken := Request{Operation: "put", KeepUnlisted: true, Resources: Resources{brokenSite{Name: "x", where: where}}}

		_, err := e.Plan(ctx, broken)
		is.Equal(CodeOf(err), Internal)
		is.True(strings.Contains(err.Error(), "out of order"))

		_, err = e.Do(ctx, broken)
		is.Equal(CodeOf(err), Internal)
		is.Equal(OutcomeOf(err), Untouched)

		errs := batchOf(e, Put(memoryRoute(t, "a")), broken, Put(memoryRoute(t, "b")))
		is.NoErr(errs[0])
		is.Equal(CodeOf(errs[1]), Internal)
		is.True(strings.Contains(errs[1].Error(), "out of order"))
		is.NoErr(errs[2])

		_, err = e.Do(ctx, Put(memoryRoute(t, "c"))) // and others get their turn
		is.NoErr(err)
	}
}

func TestAPreconditionThatPanicsFailsItsOwnChangeAlone(t *testing.T) {
	is := is.New(t)
	e := newMemoryHost(t).open(t)
	picky := Put(memoryRoute(t, "b"))
	picky.Precondition = func(RouteStatus) error { panic("out of order") }
	errs := batchOf(e, Put(memoryRoute(t, "a")), picky, Put(memoryRoute(t, "c")))
	is.NoErr(errs[0])
	is.Equal(CodeOf(errs[1]), Internal)
	is.True(strings.Contains(errs[1].Error(), "the precondition panicked: out of order"))
	is.NoErr(errs[2])
	for _, do := range []func(context.Context, Request) error{
		func(ctx context.Context, req Request) error { _, err := e.Plan(ctx, req); return err },
		func(ctx context.Context, req Request) error { _, err := e.Do(ctx, req); return err },
	} {
		is.Equal(CodeOf(do(context.Background(), picky)), Internal)
	}
}

func TestAPanicWhileABatchIsDoneEndsEveryChangeOfIt(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	before := h.configuration()
	e := h.open(t)
	newID := e.opts.NewID
	e.opts.NewID = func() string { panic("out of ids") }
	for _, err := range batchOf(e, Put(memoryRoute(t, "a")), Put(memoryRoute(t, "b"))) {
		is.Equal(CodeOf(err), Internal)
		is.True(strings.Contains(err.Error(), "out of ids"))
	}
	is.Equal(difference(h.configuration(), before), "")
	e.opts.NewID = newID
	_, err := e.Do(context.Background(), Put(memoryRoute(t, "a")))
	is.NoErr(err)
}

// A lateKind panics when it is asked when it wants to be undone.
type lateKind struct{ loader }

func (lateKind) UndoAfterFiles() bool { panic("out of order") }

func TestAPanicWhileStepsAreTakenBackLeavesTheJournalForRecovery(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	before := h.configuration()
	var notes []string
	k := loader{file: loadedFile, notes: &notes}
	e := h.openWith(t, k)
	e.steps[loaderKind] = lateKind{k}
	h.nginx.bind = true
	_, err := e.Do(context.Background(), req)
	is.Equal(OutcomeOf(err), NeedsRecovery)
	_, err = e.Recover(context.Background())
	is.Equal(OutcomeOf(err), NeedsRecovery) // still
	_, err = h.openWith(t, k).Recover(context.Background())
	is.NoErr(err)
	is.Equal(difference(h.configuration(), before), "")
}
