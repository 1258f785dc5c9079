package resources

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// RouteFields are the fields of a route as people and programs write them: the JSON of the desired-state file, of the
// body of a PUT and of a managed file's header. The zero value of a field that is not required stands for its default.
type RouteFields struct {
	_ struct{} `strict:"filled"` // an empty text is no value

	// DropletName is the route's name: [a-z0-9], then [a-z0-9_-], at most 63 characters. Upper case is lowered.
	DropletName string `json:"droplet_name"`
	// Domain is the DNS name that the route serves: ASCII or punycode, two labels or more. Upper case is lowered.
	Domain string `json:"domain"`
	// Aliases are more domains that the route serves.
	Aliases []string `json:"aliases,omitempty"`
	// UpstreamHost is where requests go: "localhost" (the default), a DNS name, an IPv4 or an IPv6 address.
	UpstreamHost string `json:"upstream_host"`
	// UpstreamPort is the upstream's port, 1–65535.
	UpstreamPort int `json:"upstream_port"`
	// UpstreamScheme is how to speak to the upstream: "http" (the default) or "https".
	UpstreamScheme string `json:"upstream_scheme,omitempty"`
	// RequireHealthy (default true) refuses a change while the upstream does not answer its health check.
	RequireHealthy *bool `json:"require_healthy"`
	// EnableSSL (default true) serves the route over HTTPS, and redirects HTTP to it, once there is a certificate.
	EnableSSL *bool `json:"enable_ssl"`
	// HealthCheckPath is the path of the health check; empty for the one of the settings.
	HealthCheckPath string `json:"health_check_path,omitempty"`
	// MaxBodySize bounds a request's body, as nginx writes sizes: "512k", "10m" (default "100m"); "0" lifts the bound.
	MaxBodySize string `json:"max_body_size,omitempty"`
	// ReadTimeout is how long the upstream may be silent, as nginx writes times: "500ms", "60s" (the default), "5m".
	// It ends an idle WebSocket too.
	ReadTimeout string `json:"read_timeout,omitempty"`
	// SendTimeout is how long the upstream may refuse to take more of a request; default "60s".
	SendTimeout string `json:"send_timeout,omitempty"`
	// ConnectTimeout is how long connecting to the upstream may take; default "5s", at most "75s".
	ConnectTimeout string `json:"connect_timeout,omitempty"`
	// HSTS (default false) tells browsers to use nothing but HTTPS for the domain, for two years.
	HSTS *bool `json:"hsts,omitempty"`
	// Enabled (default true): false keeps the route's file and stops serving it.
	Enabled *bool `json:"enabled,omitempty"`
}

// nginx's documentation has no longer connect timeout: no system waits longer than that.
var (
	longTimeout    = timeoutType(24 * time.Hour)
	connectTimeout = timeoutType(75 * time.Second)
)

// routeFields has a row for each of the [RouteFields].
func routeFields() []fields.Field {
	return []fields.Field{
		{Name: "droplet_name", Type: nameType, Required: true,
			Help: "name of the route: a letter or digit, then letters, digits, '_' and '-'; upper case is lowered"},
		{Name: "domain", Type: domainType, Required: true,
			Help: "DNS name that the route serves, in ASCII or its xn-- form: no IP address, no wildcard"},
		{Name: "aliases", Type: fields.List(domainType, 0, maxDomains-1, "must be fewer than 100"),
			Help: "more domains that the route serves"},
		{Name: "upstream_host", Type: hostType, Default: localhost,
			Help: "where requests go: a name, an IPv4 address or an IPv6 address without brackets"},
		{Name: "upstream_port", Type: portType, Required: true,
			Help: "port of the upstream"},
		{Name: "upstream_scheme", Type: schemeType, Default: "http",
			Help: "how to speak to the upstream"},
		{Name: "require_healthy", Type: fields.Bool(), Default: true,
			Help: "refuse a change while the upstream does not answer its health check"},
		{Name: "enable_ssl", Type: fields.Bool(), Default: true,
			Help: "serve over HTTPS, and redirect HTTP to it, once there is a certificate"},
		{Name: "health_check_path", Type: pathType,
			Help: "path of the health check, a query included; that of the settings unless given"},
		{Name: "max_body_size", Type: sizeType, Default: "100m", Unit: sizeUnit, Directive: "client_max_body_size",
			Help: "most that a request's body may have; 0 is no bound"},
		{Name: "read_timeout", Type: longTimeout, Default: "60s", Unit: timeUnit, Directive: "proxy_read_timeout",
			Help: "how long the upstream may be silent; it ends an idle WebSocket too"},
		{Name: "send_timeout", Type: longTimeout, Default: "60s", Unit: timeUnit, Directive: "proxy_send_timeout",
			Help: "how long the upstream may refuse to take more of a request"},
		{Name: "connect_timeout", Type: connectTimeout, Default: "5s", Unit: timeUnit, Directive: "proxy_connect_timeout",
			Help: "how long connecting to the upstream may take, at most 75s"},
		{Name: "hsts", Type: fields.Bool(), Default: false,
			Help: "tell browsers to use nothing but HTTPS for the domain, for two years"},
		{Name: "enabled", Type: fields.Bool(), Default: true,
			Help: "serve the route; false keeps its file"},
	}
}

var routeTable = fields.For[RouteFields](routeFields()...).Where(domainsDiffer)

// RouteTable returns the table of a route's fields.
func RouteTable() *fields.Table[RouteFields] { return routeTable }

func domainsDiffer(f *RouteFields) error {
	for i, d := range f.Aliases {
		if d == f.Domain || slices.Contains(f.Aliases[:i], d) {
			return fieldError(element("aliases", i), d, "must not be listed twice")
		}
	}
	return nil
}

// A Route is one site that is wanted: a domain and the upstream that serves it. It can only be had from [NewRoute] and
// [ParseRoute], so it is always a good one. The zero Route is none.
type Route struct {
	// fields are normalised, and never written to; nil of the zero Route.
	fields *RouteFields
	json   []byte // the canonical form of fields, never written to either
}

// NewRoute checks every field and fills in the defaults. The error is a *[FieldError] or nil.
func NewRoute(f RouteFields) (Route, error) {
	if err := routeTable.Normalise(&f); err != nil {
		return Route{}, err
	}
	return Route{&f, routeTable.JSON(&f)}, nil
}

// maxRouteJSON bounds the JSON of one route: a hundred names of full length fit.
const maxRouteJSON = 64 << 10

// ParseRoute reads one route from JSON and checks every field. The error is a *[FieldError] or nil.
func ParseRoute(b []byte) (Route, error) {
	var f RouteFields
	if err := strictjson.Decode(b, maxRouteJSON, &f); err != nil {
		return Route{}, decodeError(err)
	}
	return NewRoute(f)
}

// noRoute has what is read of the zero Route: nothing is switched on.
var noRoute = func() (f RouteFields) {
	for _, row := range routeTable.Fields() {
		if row.Kind() == "boolean" {
			_ = routeTable.Set(&f, row.Name, "false") // a field of the table, and a value of its kind
		}
	}
	return f
}()

// f returns the fields to be read.
func (r Route) f() *RouteFields { return cmp.Or(r.fields, &noRoute) }

// Fields returns the route's fields with all defaults filled in. HealthCheckPath stays empty for the one of the settings.
func (r Route) Fields() RouteFields { return routeTable.Copy(r.f()) }

// MarshalJSON returns the canonical form: one line, the fields in one order, and those that few routes set only where they
// differ from their defaults. Equal routes give equal bytes. The zero Route is null.
func (r Route) MarshalJSON() ([]byte, error) {
	if r.IsZero() {
		return []byte("null"), nil
	}
	return bytes.Clone(r.json), nil
}

// Equal reports whether both routes ask for the same.
func (r Route) Equal(other Route) bool { return bytes.Equal(r.json, other.json) }

// IsZero reports whether r is the zero Route, which is none.
func (r Route) IsZero() bool { return r.fields == nil }

// Name returns the droplet's name.
func (r Route) Name() string { return r.f().DropletName }

// Address names the resource in plans: "route.NAME".
func (r Route) Address() string { return "route." + r.Name() }

// FileName returns the name of the route's file in sites-available, and of its link in sites-enabled.
func (r Route) FileName() string { return FilePrefix + r.Name() + FileSuffix }

// CertificateName returns the name under which certbot keeps the certificate that the program has issued for the route.
func (r Route) CertificateName() string { return FilePrefix + r.Name() }

// Domain returns the route's first domain.
func (r Route) Domain() string { return r.f().Domain }

// Domains returns all domains of the route: the first, then the aliases.
func (r Route) Domains() []string { return append([]string{r.Domain()}, r.f().Aliases...) }

// Upstreams returns where requests go: one upstream, and none of the zero Route.
func (r Route) Upstreams() Upstreams {
	if r.IsZero() {
		return nil
	}
	return Upstreams{r.upstream()}
}

func (r Route) upstream() Upstream {
	f := r.f()
	return Upstream{Scheme: f.UpstreamScheme, Host: f.UpstreamHost, Port: f.UpstreamPort}
}

// HealthURLs returns what is asked for to learn whether the route's upstreams are well, with the default path where the
// route has none of its own.
func (r Route) HealthURLs(defaultPath string) []string {
	var urls []string
	for _, u := range r.Upstreams() {
		urls = append(urls, u.HealthURL(cmp.Or(r.f().HealthCheckPath, defaultPath)))
	}
	return urls
}

// RequireHealthy reports whether a change has to wait for a healthy upstream.
func (r Route) RequireHealthy() bool { return *r.f().RequireHealthy }

// EnableSSL reports whether the route wants HTTPS.
func (r Route) EnableSSL() bool { return *r.f().EnableSSL }

// Enabled reports whether the route is to be served at all.
func (r Route) Enabled() bool { return *r.f().Enabled }

// HSTS reports whether browsers are told to use nothing but HTTPS.
func (r Route) HSTS() bool { return *r.f().HSTS }
