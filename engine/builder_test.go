package engine

import (
	"bytes"
	"context"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A builtResource plans whatever a test has it plan.
type builtResource struct {
	build func(*Builder) error
}

func (builtResource) Address() string { return "built.test" }

func (r builtResource) Plan(_ context.Context, _ *host.Observer, b *Builder) error { return r.build(b) }

// built asks for a route, so that nginx takes something up, beside what is built.
func built(t testing.TB, build func(*Builder) error) Request {
	t.Helper()
	req := Put(memoryRoute(t, "a"))
	req.Resources = Resources{builtResource{build}}
	return req
}

func TestASavedPlanIsTheSameAsAFreshOne(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	h.write(t, loadedFile, "old <text>\n")
	e := h.open(t)
	for _, req := range []Request{
		built(t, func(b *Builder) error {
			if _, err := b.WriteFile(loadedFile, []byte("new <text> & more\n"), 0o644); err != nil {
				return err
			}
			if _, err := b.Symlink("loaded", memoryNginx+"/link"); err != nil {
				return err
			}
			return b.Step(plan.Step{Kind: flagKind, Path: "/run/flag", Spec: []byte(`{"why": "a < b",  "n": [1, 2]}`)})
		}),
		Put(memoryRoute(t, "b", withSSL)),
		{Operation: "put", KeepUnlisted: true}, // nothing to do
	} {
		p, err := e.Plan(context.Background(), req)
		is.NoErr(err)
		var b bytes.Buffer
		is.NoErr(p.Encode(&b))
		saved, err := plan.Parse(b.Bytes())
		is.NoErr(err)
		is.Equal(saved, p)
	}
}

const deepFile = memoryNginx + "/one/two/deep"

func deep(t testing.TB) Request {
	return built(t, func(b *Builder) error {
		_, err := b.WriteFile(deepFile, []byte("deep\n"), 0o644)
		if err == nil {
			_, err = b.Symlink("two/deep", memoryNginx+"/one/link")
		}
		return err
	})
}

func TestMissingDirectoriesAreAnnouncedMadeAndStay(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	e := h.open(t)
	p, err := e.Plan(ctx, deep(t))
	is.NoErr(err)
	is.Equal(p.Steps[0].Description, "write deep, and make the directories "+memoryNginx+"/one and "+memoryNginx+"/one/two")
	is.Equal(p.Steps[1].Description, "link link to two/deep") // once is enough
	_, err = e.Do(ctx, deep(t))
	is.NoErr(err)
	b, err := h.disk.ReadFile(deepFile)
	is.NoErr(err)
	is.Equal(string(b), "deep\n")
	info, err := h.disk.Lstat(path.Dir(deepFile))
	is.NoErr(err)
	is.Equal(info.Mode(), fs.ModeDir|0o755)

	p, err = e.Plan(ctx, deep(t))
	is.NoErr(err)
	is.True(p.Empty())
}

func TestDirectoriesThatWereMadeGoWithAFailedReload(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	before := h.configuration()
	e := h.open(t)
	h.nginx.bind = true
	_, err := e.Do(context.Background(), deep(t))
	is.Equal(OutcomeOf(err), Undone)
	is.Equal(difference(h.configuration(), before), "")
}

func TestDirectoriesThatAKilledProcessMadeGo(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	before := h.configuration()
	e := h.open(t)
	moments := h.watch(func() {
		_, err := e.Do(context.Background(), deep(t))
		is.NoErr(err)
	})
	after := h.configuration()
	undone := 0
	for _, killed := range moments {
		found, err := killed.open(t).Recover(context.Background())
		is.NoErr(err)
		switch {
		case found != nil && found.RolledBack:
			undone++
			is.Equal(difference(killed.configuration(), before), "")
		case found != nil:
			is.Equal(difference(killed.configuration(), after), "")
		}
	}
	is.True(undone > 20)
}

func TestADirectoryThatAppearsMakesThePlanStale(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	e := h.open(t)
	p, err := e.Plan(context.Background(), deep(t))
	is.NoErr(err)
	is.NoErr(h.disk.Mkdir(memoryNginx+"/one", 0o755))
	again, err := e.Plan(context.Background(), deep(t))
	is.NoErr(err)
	err = e.stale(p, again)
	is.Equal(CodeOf(err), StalePlan)
	is.True(strings.Contains(err.Error(), memoryNginx+"/one was absent and is directory"))
}

func TestADirectoryCannotBeWhereThePlanPutsSomethingElse(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	one := memoryNginx + "/one"
	below := func(b *Builder) error {
		_, err := b.WriteFile(one+"/file", nil, 0o644)
		return err
	}
	itself := func(b *Builder) error {
		_, err := b.WriteFile(one, nil, 0o644)
		return err
	}
	for _, order := range [][]func(*Builder) error{{below, itself}, {itself, below}} {
		_, err := h.open(t).Plan(context.Background(), built(t, func(b *Builder) error {
			if err := order[0](b); err != nil {
				return err
			}
			return order[1](b)
		}))
		is.Equal(CodeOf(err), InvalidInput)
	}
	h.write(t, one, "a file already")
	_, err := h.open(t).Plan(context.Background(), built(t, below))
	is.Equal(CodeOf(err), ConfigReadFailed)
}

func TestAStepOfAKindThatIsNoneOfOnesOwnIsRefusedWhenPlanning(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	e := h.open(t)
	for _, kind := range []string{"test.unknown", "", plan.WriteFile, plan.RemoveSymlink, plan.Reload, plan.CheckHealth, plan.DeleteCertificate} {
		_, err := e.Plan(context.Background(), built(t, func(b *Builder) error { return b.Step(plan.Step{Kind: kind}) }))
		is.Equal(CodeOf(err), InvalidInput)
		is.True(strings.Contains(err.Error(), `"`+kind+`"`))
		is.True(strings.Contains(err.Error(), "built.test"))
	}
	_, err := e.Plan(context.Background(), built(t, func(b *Builder) error { return b.Step(plan.Step{Kind: flagKind}) }))
	is.NoErr(err)
}

func TestARollbackMakesTheDirectoriesThatAreGone(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	e := h.open(t)
	_, err := e.Do(ctx, deep(t))
	is.NoErr(err)
	made := h.configuration()
	removed, err := e.Do(ctx, built(t, func(b *Builder) error {
		for _, path := range []string{deepFile, memoryNginx + "/one/link"} {
			if _, err := b.Remove(path); err != nil {
				return err
			}
		}
		return nil
	}))
	is.NoErr(err)
	is.NoErr(h.disk.Remove(path.Dir(deepFile)))
	is.NoErr(h.disk.Remove(memoryNginx + "/one"))
	_, err = e.Do(ctx, Rollback(removed.ID))
	is.NoErr(err)
	is.Equal(difference(h.configuration(), made), "")
}

func TestWhatCannotBeReadIsAFailedRead(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	e := h.open(t)
	done, err := e.Do(ctx, Put(memoryRoute(t, "a")))
	is.NoErr(err)
	file := memoryAvailable + "/fpai-a.conf"
	is.NoErr(h.disk.Remove(file))
	is.NoErr(h.disk.Mkdir(file, 0o755))
	_, err = e.Plan(ctx, Rollback(done.ID))
	is.Equal(CodeOf(err), ConfigReadFailed)

	conf := memoryNginx + "/nginx.conf"
	is.NoErr(h.disk.Remove(conf))
	is.NoErr(h.disk.Mkdir(conf, 0o755))
	_, err = e.Plan(ctx, Put(memoryRoute(t, "b")))
	is.Equal(CodeOf(err), ConfigReadFailed)
}
