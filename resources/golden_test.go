package resources_test

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

var update = flag.Bool("update", false, "write the golden files anew")

func at(nginx string) resources.Settings {
	return resources.Settings{
		IPv6:      true,
		Nginx:     version.Must(version.NewVersion(nginx)),
		OpenSSL:   version.Must(version.NewVersion("3.0.19")),
		Webroot:   "/var/lib/proxy-manager/acme",
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.53:53"), netip.MustParseAddrPort("[::1]:53")},
	}
}

var files = &resources.CertificateFiles{
	Fullchain:  "/etc/letsencrypt/live/fpai-alpha/fullchain.pem",
	PrivateKey: "/etc/letsencrypt/live/fpai-alpha/privkey.pem",
}

const caFile = "/etc/ssl/certs/ca-certificates.crt"

type golden struct {
	name     string
	settings resources.Settings
	route    string // JSON, without the name and the port
	cert     *resources.CertificateFiles
}

func goldens() []golden {
	plain := func(s *resources.Settings) {}
	with := func(nginx string, change func(*resources.Settings)) resources.Settings {
		s := at(nginx)
		change(&s)
		return s
	}
	noIPv6 := func(s *resources.Settings) { s.IPv6 = false }
	ports := func(s *resources.Settings) { s.HTTPPort, s.HTTPSPort = 8080, 8443 }
	proxies := func(s *resources.Settings) {
		s.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
	}
	ca := func(s *resources.Settings) { s.UpstreamCAFile = caFile }
	mlkem := func(s *resources.Settings) { s.OpenSSL = version.Must(version.NewVersion("3.5.1")) }
	closed := func(s *resources.Settings) { s.HostAccess = []string{"allow", "auth_basic", "auth_request"} }
	long := `"domain":"` + longDomain(253, ".example.com") + `","aliases":["b.example.com","` + longDomain(100, ".example.com") + `"]`
	one := `"domain":"alpha.example.com"`

	return []golden{
		{"http-1.18", with("1.18.0", plain), one, nil},
		{"http-1.22", with("1.22.1", plain), one, nil},
		{"http-no-ssl-wanted", with("1.22.1", plain), one + `,"enable_ssl":false`, files},
		{"http-no-ipv6", with("1.22.1", noIPv6), one, nil},
		{"http-disabled", with("1.22.1", plain), one + `,"enabled":false`, nil},
		{"http-ipv4-upstream", with("1.22.1", plain), one + `,"upstream_host":"10.1.2.3"`, nil},
		{"http-ipv6-upstream", with("1.22.1", plain), one + `,"upstream_host":"2001:DB8:0::1"`, nil},
		{"http-name-upstream", with("1.22.1", plain), one + `,"upstream_host":"App.Internal"`, nil},
		{"http-name-upstream-no-ipv6", with("1.22.1", noIPv6), one + `,"upstream_host":"app"`, nil},
		{"http-trusted-proxies", with("1.22.1", proxies), one, nil},
		{"http-limits", with("1.22.1", plain), one + `,"max_body_size":"2G","read_timeout":"1h","send_timeout":"300","connect_timeout":"500ms","health_check_path":"/up?full=1&x=%20"`, nil},
		{"https-1.18", with("1.18.0", plain), one, files},
		{"https-1.22", with("1.22.1", plain), one, files},
		{"https-1.25.1", with("1.25.1", plain), one, files},
		{"https-1.29-mlkem", with("1.29.3", mlkem), one, files},
		{"https-aliases", with("1.22.1", plain), one + `,"aliases":["www.example.com","xn--mnchen-3ya.example.com"]`, files},
		{"https-hsts", with("1.22.1", plain), one + `,"hsts":true`, files},
		{"https-long-names", with("1.22.1", plain), long, files},
		{"https-other-ports", with("1.22.1", ports), one, files},
		{"https-to-https-name", with("1.22.1", ca), one + `,"upstream_host":"app.internal","upstream_scheme":"https"`, files},
		{"https-to-https-localhost", with("1.22.1", ca), one + `,"upstream_scheme":"https"`, files},
		{"https-to-https-address", with("1.22.1", ca), one + `,"upstream_host":"10.1.2.3","upstream_scheme":"https"`, files},
		{"http-1.27.4", with("1.27.4", plain), one, nil},
		{"https-1.27.4", with("1.27.4", plain), one, files},
		{"http-closed-host", with("1.22.1", closed), one, nil},
	}
}

func (g golden) render(t *testing.T, name string) []byte {
	t.Helper()
	r, err := resources.ParseRoute([]byte(`{"droplet_name":"` + name + `","upstream_port":8001,` + g.route + `}`))
	must(t, err)
	text, err := r.Render(g.settings, g.cert)
	must(t, err)
	return text
}

func TestRenderedRoutes(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			compare(t, g.name, g.render(t, "alpha"))
		})
	}
}

// TestNginxTakesEveryRenderedRoute runs the real one over each golden text that is meant for its version, and wants no
// warning. A second route is always there: some mistakes, such as a long name, only show when two share a port.
func TestNginxTakesEveryRenderedRoute(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			n := newNginx(t)
			skipUnlessFit(t, g.settings)
			text := string(n.local(g.render(t, "alpha")))
			n.site(t, "fpai-alpha.conf", []byte(text))
			n.site(t, "fpai-beta.conf", []byte(strings.NewReplacer("alpha", "beta", "example", "sample").Replace(text)))
			shared(t, n, g.settings)
			if out := n.test(t); out != "" {
				t.Fatal(out)
			}
		})
	}
}

// local replaces the paths of a golden text by ones that are there.
func (n *nginx) local(text []byte) []byte {
	return []byte(strings.NewReplacer(
		files.Fullchain, n.files.Fullchain, files.PrivateKey, n.files.PrivateKey, caFile, n.files.Fullchain,
	).Replace(string(text)))
}

func shared(t *testing.T, n *nginx, s resources.Settings) {
	t.Helper()
	maps, err := resources.RenderMaps(s)
	must(t, err)
	n.site(t, resources.MapsFile, maps)
	fallback, err := resources.RenderDefault(s, resources.DefaultListens{HTTP: s.Sockets(cmp.Or(s.HTTPPort, 80)), HTTPS: s.Sockets(cmp.Or(s.HTTPSPort, 443))})
	must(t, err)
	n.site(t, resources.DefaultFile, fallback)
}

func skipUnlessFit(t *testing.T, s resources.Settings) {
	t.Helper()
	nginx, openssl := installed(t)
	http2, spares := version.Must(version.NewVersion("1.25.1")), version.Must(version.NewVersion("1.27.4"))
	if s.Nginx.LessThan(http2) != nginx.LessThan(http2) || (!s.Nginx.LessThan(spares) && nginx.LessThan(spares)) {
		t.Skipf("the text is for nginx %s, and %s is installed", s.Nginx, nginx)
	}
	if mlkem := version.Must(version.NewVersion("3.5")); s.OpenSSL.GreaterThan(mlkem) && openssl.LessThan(mlkem) {
		t.Skipf("the text is for OpenSSL %s, and %s is installed", s.OpenSSL, openssl)
	}
}

func TestRenderedSharedFiles(t *testing.T) {
	is := is.New(t)
	maps, err := resources.RenderMaps(at("1.22.1"))
	is.NoErr(err)
	compare(t, "maps", maps)
	all := resources.DefaultListens{HTTP: []string{"80", "[::]:80"}, HTTPS: []string{"443", "[::]:443"}}
	for name, c := range map[string]struct {
		nginx   string
		listens resources.DefaultListens
	}{
		"default-1.18":         {"1.18.0", all},
		"default-1.22":         {"1.22.1", all},
		"default-1.25.1":       {"1.25.1", all},
		"default-https-only":   {"1.22.1", resources.DefaultListens{HTTPS: []string{"443", "[::]:443"}}},
		"default-http-by-ipv6": {"1.22.1", resources.DefaultListens{HTTP: []string{"[::]:80"}}},
	} {
		text, err := resources.RenderDefault(at(c.nginx), c.listens)
		is.NoErr(err)
		compare(t, name, text)
	}
}

func TestThereIsNoDefaultWhereNoneIsWantedOrPossible(t *testing.T) {
	is := is.New(t)
	text, err := resources.RenderDefault(at("1.22.1"), resources.DefaultListens{})
	is.NoErr(err)
	is.True(text == nil)
	text, err = resources.RenderDefault(at("1.19.3"), resources.DefaultListens{HTTPS: []string{"443"}})
	is.NoErr(err)
	is.True(text == nil) // ssl_reject_handshake came with 1.19.4
}

// TestRenderedTextIsReadBackAsTheTreeThatWasWritten parses each text and writes the tree again.
func TestRenderedTextIsReadBackAsTheTreeThatWasWritten(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			is := is.New(t)
			text := g.render(t, "alpha")
			ds, err := nginxconf.Parse("fpai-alpha.conf", text)
			is.NoErr(err)
			var w nginxconf.Writer
			rewrite(&w, ds)
			again, err := w.Bytes()
			is.NoErr(err)
			is.Equal(string(again), withoutComments(string(text)))
		})
	}
}

func rewrite(w *nginxconf.Writer, ds []nginxconf.Directive) {
	for _, d := range ds {
		switch {
		case d.Block != nil:
			w.Block(d.Name, d.Args, func() { rewrite(w, d.Block) })
		case len(d.Args) > 0 && strings.HasPrefix(d.Args[0], "~^"):
			var names []string
			for _, a := range d.Args {
				names = append(names, strings.ReplaceAll(strings.TrimSuffix(a[2:], "$"), `\`, ""))
			}
			w.Exact(d.Name, names...)
		default:
			var args []nginxconf.Expr
			for _, a := range d.Args {
				args = append(args, nginxconf.Expr(a))
			}
			w.Expand(d.Name, args...)
		}
	}
}

func withoutComments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".conf")
	if *update {
		must(t, os.WriteFile(file, got, 0o644))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("%s differs; run the test with -update and look at the diff\n%s", file, got)
	}
}

func TestRenderRefusesSettingsThatNginxWouldTrip(t *testing.T) {
	r, err := resources.ParseRoute([]byte(`{"droplet_name":"alpha","domain":"alpha.example.com","upstream_port":8001}`))
	must(t, err)
	for want, change := range map[string]func(*resources.Settings, *resources.CertificateFiles){
		"the version of nginx is not known":                func(s *resources.Settings, _ *resources.CertificateFiles) { s.Nginx = nil },
		"HTTP port 70000 is not from 1 to 65535":           func(s *resources.Settings, _ *resources.CertificateFiles) { s.HTTPPort = 70000 },
		"port 80 can't serve both HTTP and HTTPS":          func(s *resources.Settings, _ *resources.CertificateFiles) { s.HTTPSPort = 80 },
		`webroot "acme" is not an absolute, clean path`:    func(s *resources.Settings, _ *resources.CertificateFiles) { s.Webroot = "acme" },
		`webroot "/a/../b" is not an absolute, clean path`: func(s *resources.Settings, _ *resources.CertificateFiles) { s.Webroot = "/a/../b" },
		`certificate "" is not an absolute, clean path`:    func(_ *resources.Settings, c *resources.CertificateFiles) { c.Fullchain = "" },
		`private key "engine:x" is not an absolute`:        func(_ *resources.Settings, c *resources.CertificateFiles) { c.PrivateKey = "engine:x" },
		`argument "/a/$ssl_server_name" has a $`:           func(_ *resources.Settings, c *resources.CertificateFiles) { c.Fullchain = "/a/$ssl_server_name" },
		`argument "/a\n/b" has the byte 10`:                func(s *resources.Settings, _ *resources.CertificateFiles) { s.Webroot = "/a\n/b" },
		`CA file of the upstreams "x" is not an absolute`:  func(s *resources.Settings, _ *resources.CertificateFiles) { s.UpstreamCAFile = "x" },
	} {
		t.Run(want, func(t *testing.T) {
			s, c := at("1.22.1"), *files
			change(&s, &c)
			_, err := r.Render(s, &c)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, not %s", err, want)
			}
		})
	}
}

func TestNameWithoutAResolverIsRefused(t *testing.T) {
	is := is.New(t)
	r, err := resources.ParseRoute([]byte(`{"droplet_name":"a","domain":"a.example.com","upstream_host":"app","upstream_port":1}`))
	is.NoErr(err)
	s := at("1.22.1")
	s.Resolvers = nil
	_, err = r.Render(s, nil)
	is.Equal(fmt.Sprint(err), `upstream_host must be an address or localhost: the host has no DNS server that nginx could ask, not "app"`)
}
