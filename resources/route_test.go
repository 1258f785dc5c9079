package resources_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// good returns the fields of a route that is in order.
func good() resources.RouteFields {
	return resources.RouteFields{DropletName: "alpha", Domain: "alpha.example.com", UpstreamPort: 8001}
}

func TestRouteHasDefaults(t *testing.T) {
	is := is.New(t)
	r, err := resources.NewRoute(good())
	is.NoErr(err)
	is.Equal(r.Name(), "alpha")
	is.Equal(r.Address(), "route.alpha")
	is.Equal(r.FileName(), "fpai-alpha.conf")
	is.Equal(r.CertificateName(), "fpai-alpha")
	is.Equal(r.Domains(), []string{"alpha.example.com"})
	is.Equal(r.Upstreams().String(), "http://localhost:8001")
	is.True(r.RequireHealthy())
	is.True(r.EnableSSL())
	is.True(r.Enabled())
	is.True(!r.HSTS())
	is.Equal(r.HealthURLs("/health"), []string{"http://localhost:8001/health"})
	f := r.Fields()
	is.Equal(f.MaxBodySize, "100m")
	is.Equal(f.ReadTimeout, "60s")
	is.Equal(f.ConnectTimeout, "5s")
	is.Equal(*f.HSTS, false)
}

func TestRouteIsNormalised(t *testing.T) {
	is := is.New(t)
	r, err := resources.NewRoute(resources.RouteFields{
		DropletName: "ALPHA_2-x", Domain: "Alpha.Example.COM", Aliases: []string{"WWW.example.com"},
		UpstreamHost: "2001:DB8:0:0::1", UpstreamPort: 443, UpstreamScheme: "https",
		MaxBodySize: "10M", ReadTimeout: "300", EnableSSL: new(false),
	})
	is.NoErr(err)
	is.Equal(r.Name(), "alpha_2-x")
	is.Equal(r.Domains(), []string{"alpha.example.com", "www.example.com"})
	is.Equal(r.Upstreams().String(), "https://[2001:db8::1]:443")
	is.Equal(r.Fields().MaxBodySize, "10m")
	is.Equal(r.Fields().ReadTimeout, "300s")
	again, err := resources.NewRoute(r.Fields())
	is.NoErr(err)
	is.True(again.Equal(r)) // what is normal stays as it is
}

func TestAddressMappedIntoIPv6IsSeenForWhatItReaches(t *testing.T) {
	is := is.New(t)
	f := good()
	f.UpstreamHost = "::ffff:169.254.169.254"
	r, err := resources.NewRoute(f)
	is.NoErr(err)
	is.Equal(r.Upstreams()[0].Host, "169.254.169.254")
	is.True(r.Upstreams()[0].Addr().Is4())
}

func TestValuesThatAreAccepted(t *testing.T) {
	label := strings.Repeat("a", 63)
	full := strings.Join([]string{label, label, label, strings.Repeat("a", 61)}, ".")
	for name, change := range map[string]func(*resources.RouteFields){
		"a name of one character":          func(f *resources.RouteFields) { f.DropletName = "7" },
		"a name of 63 characters":          func(f *resources.RouteFields) { f.DropletName = label },
		"a domain of 253 characters":       func(f *resources.RouteFields) { f.Domain = full },
		"an international domain":          func(f *resources.RouteFields) { f.Domain = "xn--mnchen-3ya.example" },
		"a domain that begins with digits": func(f *resources.RouteFields) { f.Domain = "1.2.example" },
		"99 aliases":                       func(f *resources.RouteFields) { f.Aliases = manyDomains(99) },
		"an upstream of one label":         func(f *resources.RouteFields) { f.UpstreamHost = "app" },
		"loopback by IPv6":                 func(f *resources.RouteFields) { f.UpstreamHost = "::1" },
		"the last port":                    func(f *resources.RouteFields) { f.UpstreamPort = 65535 },
		"no limit for bodies":              func(f *resources.RouteFields) { f.MaxBodySize = "0" },
		"the largest body":                 func(f *resources.RouteFields) { f.MaxBodySize = "1024g" },
		"the shortest timeout":             func(f *resources.RouteFields) { f.ReadTimeout = "1ms" },
		"the longest timeout":              func(f *resources.RouteFields) { f.ReadTimeout = "24h" },
		"a path with a query":              func(f *resources.RouteFields) { f.HealthCheckPath = "/a/b?c=d&e=%2F" },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			f := good()
			change(&f)
			_, err := resources.NewRoute(f)
			is.NoErr(err)
		})
	}
}

// hostile has values that mean something to nginx, to a shell, to certbot or to an eye, and are no name of anything.
var hostile = map[string]string{
	"a semicolon":          "a.example.com;",
	"a block":              "a.example.com{",
	"a closing brace":      "a.example.com}",
	"a space":              "a.example.com b.example.com",
	"a line break":         "a.example.com\nload_module",
	"a final line break":   "a.example.com\n",
	"a carriage return":    "a.example.com\r",
	"a tab":                "a.example.com\t",
	"a NUL":                "a.example.com\x00",
	"DEL":                  "a.example.com\x7f",
	"a quote":              `a.example.com"`,
	"a single quote":       "a.example.com'",
	"a backslash":          `a.example.com\`,
	"a variable":           "$host.example.com",
	"a regular expression": "~^a.example.com",
	"a hash":               "#a.example.com",
	"an option":            "--flag.example.com",
	"a comma":              "a.example.com,b.example.com",
	"a path":               "../../etc/passwd",
	"a slash":              "a/b.example.com",
	"a percent sign":       "a%2e.example.com",
	"the Kelvin sign":      "\u212a.example.com",
	"letters beyond ASCII": "münchen.example.com",
	"a full-width dot":     "a\uff0eexample.com",
	"a byte order mark":    "\ufeffa.example.com",
	"a backtick":           "`id`.example.com",
	"a port":               "a.example.com:80",
	"an at sign":           "x@a.example.com",
}

func TestHostileValuesAreRefusedInEveryField(t *testing.T) {
	for _, field := range resources.RouteTable().Fields() {
		set := func(f *resources.RouteFields, v string) { must(t, resources.RouteTable().Set(f, field.Name, v)) }
		place := field.Name
		switch field.Kind() {
		case "array":
			place += "[1]"
			set = func(f *resources.RouteFields, v string) { f.Aliases = []string{"b.example.com", v} }
		case "string":
		default:
			continue // holds no text
		}
		for name, value := range hostile {
			t.Run(place+" with "+name, func(t *testing.T) { wantRefused(t, place, value, set) })
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	domain := func(f *resources.RouteFields, v string) { f.Domain = v }
	host := func(f *resources.RouteFields, v string) { f.UpstreamHost = v }
	name := func(f *resources.RouteFields, v string) { f.DropletName = v }
	for _, c := range []struct {
		field, name, value string
		set                func(*resources.RouteFields, string)
	}{
		{"domain", "nothing", "", domain},
		{"domain", "one label", "localhost", domain},
		{"domain", "a trailing dot", "a.example.com.", domain},
		{"domain", "a leading dot", ".example.com", domain},
		{"domain", "two dots", "a..example.com", domain},
		{"domain", "a wildcard", "*.example.com", domain},
		{"domain", "an IPv4 address", "192.0.2.1", domain},
		{"domain", "an IPv6 address", "2001:db8::1", domain},
		{"domain", "an address in hexadecimal", "example.0x7f", domain},
		{"domain", "a number for a top-level domain", "example.123", domain},
		{"domain", "a label that begins with a hyphen", "-a.example.com", domain},
		{"domain", "a label that ends with a hyphen", "a-.example.com", domain},
		{"domain", "an underscore", "a_b.example.com", domain},
		{"domain", "a label of 64 characters", strings.Repeat("a", 64) + ".example.com", domain},
		{"domain", "254 characters", strings.Repeat("a.", 125) + "abcd", domain},
		{"upstream_host", "an address in brackets", "[::1]", host},
		{"upstream_host", "an address with a zone", "fe80::1%eth0", host},
		{"upstream_host", "no address", "0.0.0.0", host},
		{"upstream_host", "no address of IPv6", "::", host},
		{"upstream_host", "a multicast address", "224.0.0.1", host},
		{"upstream_host", "broadcast", "255.255.255.255", host},
		{"upstream_host", "an address of two numbers", "127.1", host},
		{"upstream_host", "an address as one number", "2130706433", host},
		{"upstream_host", "an address in octal", "0177.0.0.1", host},
		{"upstream_host", "an address in hexadecimal", "0x7f000001", host},
		{"upstream_host", "an address in hexadecimal and upper case", "0X7F000001", host},
		{"upstream_host", "a trailing dot", "app.internal.", host},
		{"upstream_host", "a socket", "unix:/run/docker.sock", host},
		{"droplet_name", "nothing", "", name},
		{"droplet_name", "a leading hyphen", "-a", name},
		{"droplet_name", "the name of a shared file", "_maps", name},
		{"droplet_name", "dots", "..", name},
		{"droplet_name", "a dot", "a.b", name},
		{"droplet_name", "64 characters", strings.Repeat("a", 64), name},
	} {
		t.Run(c.field+" with "+c.name, func(t *testing.T) {
			wantRefused(t, c.field, c.value, c.set)
		})
	}
}

func TestLimitsThatAreNone(t *testing.T) {
	for field, c := range map[string]struct {
		values []string
		set    func(*resources.RouteFields, string)
	}{
		"max_body_size":     {[]string{"-1", "10mb", "1t", "010m", "1.5m", "m", "1025g", "99999999999999999999", " 1m"}, func(f *resources.RouteFields, v string) { f.MaxBodySize = v }},
		"read_timeout":      {[]string{"0", "0s", "-1s", "25h", "1d", "1m30s", "1.5s", "s", "01s", "86401"}, func(f *resources.RouteFields, v string) { f.ReadTimeout = v }},
		"connect_timeout":   {[]string{"76s", "2m", "75001ms"}, func(f *resources.RouteFields, v string) { f.ConnectTimeout = v }},
		"health_check_path": {[]string{"health", "//evil.example", "/a b", "/%", "/%2", "/%zz", "/a#b", "/" + strings.Repeat("a", 512)}, func(f *resources.RouteFields, v string) { f.HealthCheckPath = v }},
		"upstream_scheme":   {[]string{"HTTP", "ftp", "h2c", "grpc"}, func(f *resources.RouteFields, v string) { f.UpstreamScheme = v }},
	} {
		for _, v := range c.values {
			t.Run(field+" "+v, func(t *testing.T) { wantRefused(t, field, v, c.set) })
		}
	}
	for _, port := range []int{-1, 0, 65536, 1 << 40} {
		wantRefused(t, "upstream_port", "", func(f *resources.RouteFields, _ string) { f.UpstreamPort = port })
	}
}

func wantRefused(t *testing.T, field, value string, set func(*resources.RouteFields, string)) {
	t.Helper()
	f := good()
	set(&f, value)
	r, err := resources.NewRoute(f)
	var fe *resources.FieldError
	if !errors.As(err, &fe) {
		t.Fatalf("%q was accepted (%v)", value, err)
	}
	if fe.Field != field || fe.Constraint == "" || !r.IsZero() {
		t.Errorf("%q: %+v, %v", value, fe, r)
	}
	for _, c := range []byte(err.Error()) {
		if c < ' ' || c == 0x7f {
			t.Errorf("%q: a control character in %q", value, err.Error())
		}
	}
}

func TestDomainsOfARouteDiffer(t *testing.T) {
	is := is.New(t)
	f := good()
	f.Aliases = []string{"b.example.com", "ALPHA.example.com"}
	_, err := resources.NewRoute(f)
	is.Equal(fmt.Sprint(err), `aliases[1] must not be listed twice, not "alpha.example.com"`)
	f.Aliases = manyDomains(100)
	_, err = resources.NewRoute(f)
	is.Equal(fmt.Sprint(err), `aliases must be fewer than 100`)
}

func manyDomains(n int) []string {
	var ds []string
	for i := range n {
		ds = append(ds, fmt.Sprintf("a%d.example.com", i))
	}
	return ds
}

func TestErrorsDoNotGrowWithWhatWasSent(t *testing.T) {
	is := is.New(t)
	for _, text := range []string{
		`{"droplet_name":"a","domain":"` + strings.Repeat("x", 60_000) + `","upstream_port":1}`,
		`{"` + strings.Repeat("x", 60_000) + `":1}`,
		`{"droplet_name":"a","domain":"` + strings.Repeat(`\u212a`, 9_000) + `","upstream_port":1}`,
		strings.Repeat("x", 1<<20),
	} {
		_, err := resources.ParseRoute([]byte(text))
		is.True(err != nil)
		is.True(len(err.Error()) < 600) // an error fits into a line of log
	}
}

func TestParseRouteIsStrict(t *testing.T) {
	const rest = `"droplet_name":"alpha","domain":"alpha.example.com","upstream_port":8001`
	for name, c := range map[string]struct{ text, field, want string }{
		"an unknown field":      {`{` + rest + `,"extra_config":"x"}`, "extra_config", "is not a known field"},
		"a key in another case": {`{` + rest + `,"Enable_SSL":false}`, "Enable_SSL", `is not a known field; did you mean "enable_ssl"?`},
		"a key given twice":     {`{` + rest + `,"domain":"b.example.com"}`, "domain", "is given twice"},
		"a text for a number":   {`{"droplet_name":"a","upstream_port":"8001"}`, "upstream_port", "must be a whole number, not a string"},
		"text after the route":  {`{` + rest + `} {}`, "", "must be valid JSON: line 1, column 76: nothing may follow the value"},
		"nothing":               {``, "", "must be valid JSON: line 1, column 1: the text ends too early"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := resources.ParseRoute([]byte(c.text))
			var fe *resources.FieldError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Field, c.field)
			is.Equal(fe.Constraint, c.want)
		})
	}
}

func TestRouteAsJSONIsCanonical(t *testing.T) {
	is := is.New(t)
	r, err := resources.NewRoute(good())
	is.NoErr(err)
	b, err := json.Marshal(r)
	is.NoErr(err)
	is.Equal(string(b), `{"droplet_name":"alpha","domain":"alpha.example.com","upstream_host":"localhost","upstream_port":8001,"require_healthy":true,"enable_ssl":true}`)

	f := good()
	f.Aliases, f.UpstreamScheme, f.HSTS, f.Enabled = []string{"b.example.com"}, "https", new(true), new(false)
	f.RequireHealthy, f.EnableSSL, f.HealthCheckPath, f.ReadTimeout = new(false), new(false), "/up?a=1&b=2", "1h"
	r, err = resources.NewRoute(f)
	is.NoErr(err)
	b, err = json.Marshal(r)
	is.NoErr(err)
	again, err := resources.ParseRoute(b)
	is.NoErr(err)
	is.True(again.Equal(r))
}

func TestRoutesDifferByEveryField(t *testing.T) {
	base, err := resources.NewRoute(good())
	must(t, err)
	for name, change := range map[string]func(*resources.RouteFields){
		"droplet_name":      func(f *resources.RouteFields) { f.DropletName = "beta" },
		"domain":            func(f *resources.RouteFields) { f.Domain = "b.example.com" },
		"aliases":           func(f *resources.RouteFields) { f.Aliases = []string{"b.example.com"} },
		"upstream_host":     func(f *resources.RouteFields) { f.UpstreamHost = "127.0.0.1" },
		"upstream_port":     func(f *resources.RouteFields) { f.UpstreamPort = 1 },
		"upstream_scheme":   func(f *resources.RouteFields) { f.UpstreamScheme = "https" },
		"require_healthy":   func(f *resources.RouteFields) { f.RequireHealthy = new(false) },
		"enable_ssl":        func(f *resources.RouteFields) { f.EnableSSL = new(false) },
		"hsts":              func(f *resources.RouteFields) { f.HSTS = new(true) },
		"enabled":           func(f *resources.RouteFields) { f.Enabled = new(false) },
		"health_check_path": func(f *resources.RouteFields) { f.HealthCheckPath = "/up" },
		"max_body_size":     func(f *resources.RouteFields) { f.MaxBodySize = "1m" },
		"read_timeout":      func(f *resources.RouteFields) { f.ReadTimeout = "1s" },
		"send_timeout":      func(f *resources.RouteFields) { f.SendTimeout = "1s" },
		"connect_timeout":   func(f *resources.RouteFields) { f.ConnectTimeout = "1s" },
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			f := good()
			change(&f)
			other, err := resources.NewRoute(f)
			is.NoErr(err)
			is.True(!base.Equal(other))
			a, _ := json.Marshal(base)
			b, _ := json.Marshal(other)
			is.True(string(a) != string(b))
			again, err := resources.ParseRoute(b)
			is.NoErr(err)
			is.True(again.Equal(other)) // nothing is lost on the way
		})
	}
}

func TestARouteCannotBeChangedFromOutside(t *testing.T) {
	is := is.New(t)
	f := good()
	f.Aliases = []string{"b.example.com"}
	r, err := resources.NewRoute(f)
	is.NoErr(err)
	f.Aliases[0] = "evil\n"
	r.Domains()[1] = "evil\n"
	r.Fields().Aliases[0] = "evil\n"
	is.Equal(r.Domains()[1], "b.example.com")
}
