package engine_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// damages are what befalls the file, or the link, of one route among others.
func (h *realHost) damages() []damage {
	file, link := h.SitesAvailable+"/fpai-alpha.conf", h.SitesEnabled+"/fpai-alpha.conf"
	maps, mapsLink := h.SitesAvailable+"/fpai-_maps.conf", h.SitesEnabled+"/fpai-_maps.conf"
	beta := h.SitesAvailable + "/fpai-beta.conf"
	cut := func(name string, keep func(b []byte) int) func() error {
		return func() error {
			b, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			return os.WriteFile(name, b[:keep(b)], 0o644)
		}
	}
	replaced := func(name string, by func() error) func() error {
		return func() error {
			if err := os.RemoveAll(name); err != nil {
				return err
			}
			return by()
		}
	}
	mkdir := func(name string) func() error { return func() error { return os.MkdirAll(name+"/inside", 0o755) } }
	symlink := func(target, name string) func() error { return func() error { return os.Symlink(target, name) } }
	return []damage{
		{"the file is removed", replaced(file, func() error { return nil }), "", "route.alpha"},
		{"the file is emptied", cut(file, func([]byte) int { return 0 }), "", "route.alpha"},
		{"the file holds zeros, as after a power cut", func() error { return os.WriteFile(file, make([]byte, 4096), 0o644) }, "", "route.alpha"},
		{"the file is cut off at its first line", cut(file, func([]byte) int { return 17 }), "", "route.alpha"},
		{"the file is cut off in its header", cut(file, func(b []byte) int { return bytes.IndexByte(b, '{') + 20 }), "", ""},
		{"the file is cut off in its body", cut(file, func(b []byte) int { return len(b) - 50 }), "route.alpha", ""},
		{"the file is another route's", func() error { return copyFile(beta, file) }, "", "route.alpha"},
		{"the file is too large to be read", func() error { return os.Truncate(file, 5<<20) }, "route.alpha", ""},
		{"a directory is in place of the file", replaced(file, mkdir(file)), "", "route.alpha"},
		{"the file is a link that leads nowhere", replaced(file, symlink("/nowhere", file)), "", "route.alpha"},
		{"the link leads nowhere", replaced(link, symlink("/nowhere", link)), "route.alpha", ""},
		{"the link leads elsewhere", replaced(link, symlink("/etc/hostname", link)), "route.alpha", ""},
		{"the link leads to another route", replaced(link, symlink(beta, link)), "route.alpha", ""},
		{"a directory is in place of the link", replaced(link, mkdir(link)), "route.alpha", ""},
		{"the link is a broken copy", replaced(link, func() error {
			b, err := os.ReadFile(file)
			return errors.Join(err, os.WriteFile(link, append(b, '}'), 0o644))
		}), "route.alpha", ""},
		{"file and link are gone from what routes share", replaced(maps, replaced(mapsLink, func() error { return nil })), "shared.maps", ""},
		{"the maps are removed", replaced(maps, func() error { return nil }), "shared.maps", ""},
		{"the maps are emptied", cut(maps, func([]byte) int { return 0 }), "shared.maps", ""},
		{"the maps are nonsense", func() error { return os.WriteFile(maps, []byte("nonsense"), 0o644) }, "shared.maps", ""},
		{"the maps are another's", func() error { return copyFile(beta, maps) }, "shared.maps", ""},
		{"the maps are too large", func() error { return os.Truncate(maps, 5<<20) }, "shared.maps", ""},
		{"a directory is in place of the maps", replaced(maps, mkdir(maps)), "shared.maps", ""},
		{"the maps' link leads nowhere", replaced(mapsLink, symlink("/nowhere", mapsLink)), "shared.maps", ""},
		{"a directory is in place of the maps' link", replaced(mapsLink, mkdir(mapsLink)), "shared.maps", ""},
	}
}

type damage struct {
	name             string
	do               func() error
	healed, isolated string // the addresses
}

// A new host for each would take minutes: they follow one another, and each begins with what was written.
func TestRecoverHealsOrDisablesWhateverBefallsAFile(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	whole := func() {
		t.Helper()
		for _, dir := range []string{h.SitesAvailable, h.SitesEnabled} {
			for _, name := range []string{"fpai-alpha.conf", "fpai-_maps.conf"} {
				is.NoErr(os.RemoveAll(filepath.Join(dir, name)))
			}
		}
		h.put(h.route("alpha"), h.route("beta"))
	}
	for _, d := range h.damages() {
		t.Run(d.name, func(t *testing.T) {
			is := is.New(t)
			whole()
			is.NoErr(d.do())
			found, err := h.Recover(t.Context())
			is.NoErr(err)
			is.NoErr(h.TestConfig(t.Context())) // nginx could start
			if d.healed+d.isolated == "" {
				is.True(found == nil || found.NginxError == "")
			} else {
				is.Equal(found.NginxError, "")
				is.Equal(healedBy(found), d.healed)
				is.Equal(isolatedBy(found), d.isolated)
			}
			is.Equal(h.page("beta.example.test"), "up\n")
			if d.healed != "" {
				is.Equal(h.page("alpha.example.test"), "up\n")
				list, err := h.Drift(t.Context())
				is.NoErr(err)
				is.Equal(len(list), 0)
			}
			found, err = h.Recover(t.Context())
			is.NoErr(err)
			is.Equal(found, nil) // it does nothing twice
		})
	}
}

func TestADamagedRouteKeepsNoOtherFromBeingChangedOrDeleted(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	for i, d := range h.damages() {
		t.Run(d.name, func(t *testing.T) {
			is := is.New(t)
			for _, name := range []string{"fpai-alpha.conf", "fpai-_maps.conf"} {
				is.NoErr(os.RemoveAll(filepath.Join(h.SitesAvailable, name)))
				is.NoErr(os.RemoveAll(filepath.Join(h.SitesEnabled, name)))
			}
			h.put(h.route("alpha"), h.route("beta"))
			is.NoErr(d.do())
			if i%2 == 0 {
				_, err := h.Do(t.Context(), engine.Put(h.route("gamma", withBodySize("5m"))))
				is.NoErr(err)
				is.Equal(h.page("gamma.example.test"), "up\n")
			} else {
				_, err := h.Do(t.Context(), engine.Delete("beta"))
				is.NoErr(err)
			}
			is.NoErr(h.TestConfig(t.Context()))
			_, err := h.Do(t.Context(), engine.Delete("gamma"))
			is.True(err == nil || engine.CodeOf(err) == engine.ProxyNotFound)
		})
	}
}

func TestManyDamagedFilesAreMendedTogether(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("a"), h.route("b"), h.route("c"), h.route("d"), h.route("e"), h.route("f"))
	file := func(name string) string { return h.SitesAvailable + "/fpai-" + name + ".conf" }
	is.NoErr(os.Remove(file("a")))
	is.NoErr(os.Remove(file("b")))
	a, err := os.ReadFile(file("c"))
	is.NoErr(err)
	is.NoErr(copyFile(file("d"), file("c"))) // swapped
	is.NoErr(os.WriteFile(file("d"), a, 0o644))
	is.NoErr(os.Truncate(file("e"), 0))
	is.NoErr(os.Truncate(file("_maps"), 0))
	is.NoErr(h.StopNginx())
	is.True(h.StartNginx() != nil)

	found, err := h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(found.NginxError, "")
	is.Equal(healedBy(found), "route.c route.d shared.maps")
	is.Equal(isolatedBy(found), "route.a route.b route.e")
	for _, says := range []string{"its file was removed", "the file is empty", "the file is another's"} {
		is.True(strings.Contains(found.String(), says))
	}
	is.NoErr(h.StartNginx())
	for _, name := range []string{"c", "d", "f"} {
		is.Equal(h.page(name+".example.test"), "up\n")
	}
	list, err := h.Routes(t.Context())
	is.NoErr(err)
	is.Equal(list[0].Name+" "+list[0].Status, "c active")
	h.put(h.route("a"), h.route("b"), h.route("e"))
	is.Equal(h.page("e.example.test"), "up\n")
}

func TestWhatIsPutAsideIsKeptWhole(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	file := h.SitesAvailable + "/fpai-alpha.conf"
	is.NoErr(os.Remove(file))
	is.NoErr(os.MkdirAll(file+"/mine", 0o755))
	_, err := h.Plan(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))
	is.True(strings.Contains(err.Error(), "recover"))

	h.put(h.route("alpha")) // asked for by name
	is.Equal(h.page("alpha.example.test"), "up\n")
	aside, err := filepath.Glob(file + ".aside-*/mine")
	is.NoErr(err)
	is.Equal(len(aside), 1)
}

func TestAFileThatSomebodyPutUnderARoutesNameIsNeverOverwritten(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("beta"))
	is.NoErr(h.Site("fpai-alpha.conf", "server { listen 127.0.0.1:1; nonsense on; }\n"))
	before, err := os.ReadFile(h.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)
	_, err = h.Do(t.Context(), engine.Put(h.route("alpha")))
	is.True(errors.Is(err, code(engine.UnmanagedFile)))

	found, err := h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(isolatedBy(found), "route.alpha") // nginx reads it by a link that is the program's to remove
	is.NoErr(h.TestConfig(t.Context()))
	after, err := os.ReadFile(h.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)
	is.Equal(string(after), string(before))

	// What is no link stays, whatever nginx says of it.
	is.NoErr(os.WriteFile(h.SitesEnabled+"/fpai-gamma.conf", before, 0o644))
	tree := h.Tree()
	found, err = h.Recover(t.Context())
	is.NoErr(err)
	is.True(strings.Contains(found.NginxError, "fpai-gamma.conf:1"))
	is.Equal(h.Tree().Diff(tree), "")
}

func TestTheOneOfTwoThatWasEditedIsTheWrongOne(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"), h.route("zeta"))
	zeta, err := os.ReadFile(h.SitesAvailable + "/fpai-zeta.conf")
	is.NoErr(err)
	i := bytes.Index(zeta, []byte("upstream "))
	is.True(i > 0)
	appendTo(t, h.SitesAvailable+"/fpai-alpha.conf", string(zeta[i:])) // so that nginx complains of zeta, which it reads later
	_, err = h.Do(t.Context(), engine.Put(h.route("beta")))
	is.NoErr(err)
	for _, name := range []string{"alpha", "beta", "zeta"} {
		is.Equal(h.page(name+".example.test"), "up\n")
	}
}

func TestAChangeSaysWhatItHadToMend(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	is.NoErr(os.Remove(h.SitesAvailable + "/fpai-alpha.conf"))
	res := h.put(h.route("beta"))
	is.True(slices.ContainsFunc(res.Warnings, func(s string) bool {
		return strings.Contains(s, "route.alpha was disabled") && strings.Contains(s, "its file was removed")
	}))

	// A plan that was reviewed changes nothing else: it is refused.
	h.put(h.route("alpha"))
	is.NoErr(os.Remove(h.SitesAvailable + "/fpai-alpha.conf"))
	p, err := h.Plan(t.Context(), engine.Put(h.route("gamma")))
	is.NoErr(err)
	before := h.Tree()
	_, err = h.Apply(t.Context(), p)
	is.Equal(engine.CodeOf(err), engine.NginxBroken)
	is.Equal(h.Tree().Diff(before), "")
}
