package engine

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A loader is a step kind as a program of somebody else's would bring it. It notes what a file holds whenever it is called.
type loader struct {
	file  string
	late  bool
	do    func() error
	undo  func() error
	notes *[]string
}

const loaderKind = "test.load"

func (loader) Name() string { return loaderKind }

func (k loader) Do(_ context.Context, host *Host, _ plan.Step) (json.RawMessage, error) {
	k.note(host, "do")
	if k.do != nil {
		return nil, k.do()
	}
	return nil, nil
}

func (k loader) Undo(_ context.Context, host *Host, _ plan.Step, _ json.RawMessage) error {
	k.note(host, "undo")
	if k.undo != nil {
		return k.undo()
	}
	return nil
}

func (k loader) UndoAfterFiles() bool { return k.late }

func (k loader) note(host *Host, what string) {
	b, err := host.FS.ReadFile(k.file)
	if err != nil {
		b = []byte("nothing")
	}
	*k.notes = append(*k.notes, what+": "+string(b))
}

// A loaded resource is a file with a loader behind it.
type loaded struct{ File, Text string }

func (loaded) Address() string { return "loaded.test" }

func (l loaded) Plan(_ context.Context, _ *host.Observer, b *Builder) error {
	needed, err := b.WriteFile(l.File, []byte(l.Text), 0o644)
	if err != nil || !needed {
		return err
	}
	return b.Step(plan.Step{Kind: loaderKind, Description: "have it loaded", Undo: "have it loaded again"})
}

const loadedFile = memoryNginx + "/loaded"

// loading returns a host with the file as it was, and the request that changes it, has it loaded, and puts a route.
func loading(t *testing.T) (*memoryHost, Request) {
	t.Helper()
	h := newMemoryHost(t)
	h.write(t, loadedFile, "old")
	h.disk.SyncAll()
	req := Put(memoryRoute(t, "a"))
	req.Resources = Resources{loaded{loadedFile, "new"}}
	return h, req
}

func (h *memoryHost) openWith(t *testing.T, k loader) *Engine {
	t.Helper()
	e := h.open(t)
	e.steps[loaderKind] = k
	return e
}

func TestAKindIsUndoneInReverseOrOnceTheFilesAreBack(t *testing.T) {
	for late, held := range map[bool]string{false: "undo: new", true: "undo: old"} {
		is := is.New(t)
		h, req := loading(t)
		before := h.configuration()
		var notes []string
		k := loader{file: loadedFile, late: late, notes: &notes}
		e := h.openWith(t, k)
		h.nginx.bind = true
		_, err := e.Do(context.Background(), req)
		is.Equal(CodeOf(err), NginxReloadFailed)
		is.Equal(OutcomeOf(err), Undone)
		is.Equal(notes, []string{"do: new", held})
		is.Equal(difference(h.configuration(), before), "")
	}
}

func TestAKindIsUndoneOnceTheFilesAreBackAlsoByTheNextProcess(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	before := h.configuration()
	var notes []string
	k := loader{file: loadedFile, late: true, notes: &notes}
	e := h.openWith(t, k)
	moments := h.watch(func() {
		_, err := e.Do(context.Background(), req)
		is.NoErr(err)
	})
	undone := 0
	for _, killed := range moments {
		notes = nil
		found, err := killed.openWith(t, k).Recover(context.Background())
		is.NoErr(err)
		if found == nil || !found.RolledBack {
			continue
		}
		is.Equal(difference(killed.configuration(), before), "")
		for _, note := range notes {
			is.Equal(note, "undo: old")
			undone++
		}
	}
	is.True(undone > 5) // at several moments the kind may have run
}

func TestAKindThatPanicsIsUndoneLikeOneThatFails(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	before := h.configuration()
	var notes []string
	e := h.openWith(t, loader{file: loadedFile, notes: &notes, do: func() error { panic("out of order") }})
	_, err := e.Do(context.Background(), req)
	is.Equal(CodeOf(err), Internal)
	is.Equal(OutcomeOf(err), Undone)
	is.True(strings.Contains(err.Error(), loaderKind) && strings.Contains(err.Error(), "out of order"))
	is.Equal(notes, []string{"do: new", "undo: new"})
	is.Equal(difference(h.configuration(), before), "")
}

func TestAKindThatPanicsInUndoLeavesTheJournalForRecovery(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	before := h.configuration()
	var notes []string
	k := loader{file: loadedFile, notes: &notes, do: func() error { return errors.New("no") }, undo: func() error { panic("out of order") }}
	_, err := h.openWith(t, k).Do(context.Background(), req)
	is.Equal(OutcomeOf(err), NeedsRecovery)
	is.True(strings.Contains(err.Error(), "out of order"))
	_, err = h.openWith(t, k).Recover(context.Background())
	is.Equal(OutcomeOf(err), NeedsRecovery) // still

	k.undo = nil // a better version of the program
	found, err := h.openWith(t, k).Recover(context.Background())
	is.NoErr(err)
	is.True(found.RolledBack)
	is.Equal(difference(h.configuration(), before), "")
}

// A panicking resource is out of order already when it is planned.
type panicking struct{}

func (panicking) Address() string { return "panicking.test" }

func (panicking) Plan(context.Context, *host.Observer, *Builder) error { panic("out of order") }

func TestAResourceThatPanicsEndsNoProcessAndFreesTheLock(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	e := h.open(t)
	req := Put(memoryRoute(t, "a"))
	req.Resources = Resources{panicking{}}
	_, err := e.Do(context.Background(), req)
	is.Equal(CodeOf(err), Internal)
	is.Equal(OutcomeOf(err), Untouched)
	req.Resources = nil
	_, err = e.Do(context.Background(), req)
	is.NoErr(err)
}

func TestAListenerThatPanicsDecidesNothing(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	var notes []string
	e := h.openWith(t, loader{file: loadedFile, notes: &notes})
	heard := 0
	ctx := WithEvents(context.Background(), func(Event) { heard++; panic("out of order") })
	_, err := e.Do(ctx, req)
	is.NoErr(err)
	is.True(heard > 5) // it goes on being told
}

func TestAnErrorOfAKindIsNotWrittenTo(t *testing.T) {
	is := is.New(t)
	h, req := loading(t)
	var notes []string
	own := &Error{Code: UpstreamUnhealthy, Message: "nobody is there", Outcome: NeedsRecovery, Details: map[string]any{"who": "nobody"}}
	e := h.openWith(t, loader{file: loadedFile, notes: &notes, do: func() error { return own }})
	_, err := e.Do(context.Background(), req)
	is.Equal(CodeOf(err), UpstreamUnhealthy)
	is.Equal(OutcomeOf(err), Undone) // of this host, whatever the kind's error says of another
	is.True(errors.Is(err, own))
	is.Equal(err.Error(), "nobody is there")
	failure, _ := errors.AsType[*Error](err)
	is.True(failure.Step != "")
	is.Equal(failure.Details["who"], "nobody")
	is.Equal(own, &Error{Code: UpstreamUnhealthy, Message: "nobody is there", Outcome: NeedsRecovery, Details: map[string]any{"who": "nobody"}})
}

func TestAJournalOfAProgramWithOtherKindsNamesItAndIsLeftToIt(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h, req := loading(t)
	before := h.configuration()
	var notes []string
	k := loader{file: loadedFile, notes: &notes, do: func() error { return errors.New("no") }, undo: func() error { return errors.New("not now") }}
	_, err := h.openWith(t, k).Do(ctx, req)
	is.Equal(OutcomeOf(err), NeedsRecovery)

	halfway := h.disk.Tree("/")
	for _, f := range []func(*Engine) error{
		func(e *Engine) error { _, err := e.Recover(ctx); return err },
		func(e *Engine) error { _, err := e.Do(ctx, Put(memoryRoute(t, "z"))); return err },
	} {
		err := f(h.open(t)) // which knows no loader
		is.Equal(OutcomeOf(err), NeedsRecovery)
		is.True(strings.Contains(err.Error(), loaderKind) && strings.Contains(err.Error(), program()))
		failure, _ := errors.AsType[*Error](err)
		is.Equal(failure.Details["step_kinds"], []string{loaderKind})
		is.Equal(failure.Details["program"], program())
		is.Equal(difference(h.disk.Tree("/"), halfway), "")
	}

	k.undo = nil
	_, err = h.openWith(t, k).Recover(ctx)
	is.NoErr(err)
	is.Equal(difference(h.configuration(), before), "")
}

func TestTheEnginesOwnKindsCannotBeReplaced(t *testing.T) {
	is := is.New(t)
	for kind := range kindTraits {
		_, err := Open(Options{Kinds: []StepKind{stepFunc{name: kind}}})
		is.Equal(CodeOf(err), InvalidInput)
	}
}
