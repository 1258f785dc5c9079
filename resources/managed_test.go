package resources_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestManagedFileSaysWhatItWasMadeFrom(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			is := is.New(t)
			text := g.render(t, "alpha")
			m, err := resources.ParseManaged(text)
			is.NoErr(err)
			is.True(!m.Drifted)
			route, err := m.Route()
			is.NoErr(err)
			is.Equal(m.Kind+" "+route.Name(), "route alpha")
			is.Equal(resources.FileName(route.Address()), "fpai-alpha.conf")
			if route.EnableSSL() {
				is.Equal(m.Certificate, g.cert)
			} else {
				is.Equal(m.Certificate, nil)
			}
			again, err := route.Render(g.settings, m.Certificate)
			is.NoErr(err)
			is.Equal(string(again), string(text)) // the file alone is enough to write it anew
		})
	}
}

func TestManagedSharedFiles(t *testing.T) {
	is := is.New(t)
	maps, err := resources.RenderMaps(at("1.22.1"))
	is.NoErr(err)
	m, err := resources.ParseManaged(maps)
	is.NoErr(err)
	is.True(!m.Drifted)
	is.Equal(m.Kind+" "+string(m.Spec), "shared _maps")
	is.Equal(resources.FileName("shared.maps"), resources.MapsFile)
	fallback, err := resources.RenderDefault(at("1.22.1"), resources.DefaultListens{HTTP: []string{"80"}})
	is.NoErr(err)
	m, err = resources.ParseManaged(fallback)
	is.NoErr(err)
	is.True(!m.Drifted)
	is.Equal(m.Kind+" "+string(m.Spec), "shared _default")
	is.Equal(resources.FileName("shared.default"), resources.DefaultFile)
}

// TestEveryEditIsDrift changes, removes and doubles each byte of a managed file, one after the other.
func TestEveryEditIsDrift(t *testing.T) {
	text := goldens()[11].render(t, "alpha")
	original, err := resources.ParseManaged(text)
	must(t, err)
	for i := range text {
		for name, edited := range map[string][]byte{
			"changed": append(append(bytes.Clone(text[:i]), text[i]^1), text[i+1:]...),
			"removed": append(bytes.Clone(text[:i]), text[i+1:]...),
			"doubled": append(bytes.Clone(text[:i+1]), text[i:]...),
		} {
			m, err := resources.ParseManaged(edited)
			if err == nil {
				_, err = m.Route()
			}
			if err != nil {
				if !errors.Is(err, resources.ErrDamaged) && !errors.Is(err, resources.ErrUnmanaged) {
					t.Fatalf("byte %d %s: %v", i, name, err)
				}
				continue
			}
			if !m.Drifted {
				t.Fatalf("byte %d (%q) %s: not seen", i, text[i], name)
			}
			inFingerprint := i >= bytes.Index(text, []byte("# fingerprint")) && i < bytes.Index(text, []byte("\n\n"))
			if !inFingerprint && m.Fingerprint == original.Fingerprint {
				t.Fatalf("byte %d %s: the same fingerprint", i, name)
			}
		}
	}
}

func TestFilesThatAreNotManaged(t *testing.T) {
	text := string(goldens()[0].render(t, "alpha"))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":                      {"", resources.ErrUnmanaged},
		"a site of somebody else's":    {"server { listen 80; }\n", resources.ErrUnmanaged},
		"our text further down":        {"\n" + text, resources.ErrUnmanaged},
		"the header without comments":  {strings.ReplaceAll(text, "# ", ""), resources.ErrUnmanaged},
		"a later format":               {strings.Replace(text, "format 1", "format 2", 1), resources.ErrDamaged},
		"no kind":                      {strings.Replace(text, "# route: ", "# ../x: ", 1), resources.ErrDamaged},
		"a route that is not valid":    {strings.Replace(text, `"alpha.example.com"`, `"alpha.example.com;"`, 1), resources.ErrDamaged},
		"a route cut short":            {text[:150], resources.ErrDamaged},
		"nothing that it is made from": {"# Managed by Proxy Manager, format 1.\n# route: \n", resources.ErrDamaged},
		"a certificate elsewhere":      {strings.Replace(text, "# fingerprint", `# certificate: {"fullchain":"x","private_key":"/y"}`+"\n# fingerprint", 1), resources.ErrDamaged},
		"a file without end":           {text + strings.Repeat("#\n", 1<<20), resources.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			m, err := resources.ParseManaged([]byte(c.text))
			if err == nil {
				_, err = m.Route()
			}
			is.True(errors.Is(err, c.want))
			is.True(errors.Is(err, resources.ErrUnmanaged) != errors.Is(err, resources.ErrDamaged))
		})
	}
}

func TestFileWithoutItsFingerprintIsStillOurs(t *testing.T) {
	is := is.New(t)
	var kept []string
	for line := range strings.Lines(string(goldens()[0].render(t, "alpha"))) {
		if !strings.HasPrefix(line, "# fingerprint") {
			kept = append(kept, line)
		}
	}
	m, err := resources.ParseManaged([]byte(strings.Join(kept, "")))
	is.NoErr(err)
	route, err := m.Route()
	is.NoErr(err)
	is.Equal(route.Name(), "alpha")
	is.True(m.Drifted)
}

// FuzzParseManaged: no file is the end of the program, and whatever is believed of one can be rendered.
func FuzzParseManaged(f *testing.F) {
	for _, g := range goldens() {
		r, _ := resources.ParseRoute([]byte(`{"droplet_name":"alpha","upstream_port":8001,` + g.route + `}`))
		text, _ := r.Render(g.settings, g.cert)
		f.Add(text)
	}
	maps, _ := resources.RenderMaps(at("1.22.1"))
	f.Add(maps)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := resources.ParseManaged(b)
		if err != nil {
			if errors.Is(err, resources.ErrUnmanaged) == errors.Is(err, resources.ErrDamaged) {
				t.Fatalf("neither or both: %v", err)
			}
			return
		}
		route, err := m.Route()
		if err != nil {
			return // of another kind, or not one that would be made
		}
		text, err := route.Render(at("1.22.1"), m.Certificate)
		if err != nil {
			// A path with a $ or a byte beyond ASCII in it is refused where it would be written.
			if m.Certificate == nil {
				t.Fatal(err)
			}
			return
		}
		again, err := resources.ParseManaged(text)
		if err != nil || again.Drifted {
			t.Fatalf("%+v, %v", again, err)
		}
		if same, err := again.Route(); err != nil || !same.Equal(route) {
			t.Fatalf("%+v, %v", same, err)
		}
	})
}

// FuzzParseRoute: what is accepted has one form, and is accepted again in it.
func FuzzParseRoute(f *testing.F) {
	for _, g := range goldens() {
		f.Add([]byte(`{"droplet_name":"alpha","upstream_port":8001,` + g.route + `}`))
	}
	for _, v := range hostile {
		f.Add([]byte(`{"droplet_name":"alpha","upstream_port":8001,"domain":"` + v + `"}`))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := resources.ParseRoute(b)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		text, err := r.MarshalJSON()
		must(t, err)
		again, err := resources.ParseRoute(text)
		if err != nil || !again.Equal(r) {
			t.Fatalf("%s: %v", text, err)
		}
		file, err := r.Render(at("1.22.1"), files)
		must(t, err)
		for _, c := range file {
			if c != '\n' && (c < ' ' || c > '~') {
				t.Fatalf("byte %d in the text of %s", c, text)
			}
		}
	})
}

func BenchmarkRender(b *testing.B) {
	r, err := resources.NewRoute(good())
	must(b, err)
	s := at("1.22.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Render(s, files); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRouteEqual(b *testing.B) {
	f := good()
	f.Aliases = []string{"www.example.com"}
	r, err := resources.NewRoute(f)
	must(b, err)
	same, err := resources.NewRoute(f)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if !r.Equal(same) {
			b.Fatal("they differ")
		}
	}
}

func BenchmarkParseManaged(b *testing.B) {
	r, err := resources.NewRoute(good())
	must(b, err)
	text, err := r.Render(at("1.22.1"), files)
	must(b, err)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := resources.ParseManaged(text); err != nil {
			b.Fatal(err)
		}
	}
}
