package resources

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// RouteFields are the fields of a route as people and programs write them: the JSON of the desired-state file, of the
// body of a PUT and of a managed file's header. The zero value of a field that is not required stands for its default.
type RouteFields struct {
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

// A Route is one site that is wanted: a domain and the upstream that serves it. It can only be had from [NewRoute] and
// [ParseRoute], so it is always a good one. The zero Route is none.
type Route struct {
	name, domain   string
	aliases        []string
	host           string
	addr           netip.Addr // of host, if it is an IP address
	port           int
	scheme         string
	healthPath     string
	maxBody        string
	readTimeout    string
	sendTimeout    string
	connectTimeout string

	requireHealthy, enableSSL, hsts, enabled bool
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

// Name returns the droplet's name.
func (r Route) Name() string { return r.name }

// Address names the resource in plans: "route.NAME".
func (r Route) Address() string { return "route." + r.name }

// FileName returns the name of the route's file in sites-available, and of its link in sites-enabled.
func (r Route) FileName() string { return FilePrefix + r.name + FileSuffix }

// CertificateName returns the name under which certbot keeps the certificate that the program has issued for the route.
func (r Route) CertificateName() string { return FilePrefix + r.name }

// Domain returns the route's first domain.
func (r Route) Domain() string { return r.domain }

// Domains returns all domains of the route: the first, then the aliases.
func (r Route) Domains() []string { return append([]string{r.domain}, r.aliases...) }

// UpstreamHost returns the upstream's name or address, an IPv6 address without brackets.
func (r Route) UpstreamHost() string { return r.host }

// UpstreamAddr returns the upstream's address; it is not valid for one that is named, such as localhost.
func (r Route) UpstreamAddr() netip.Addr { return r.addr }

// UpstreamPort returns the upstream's port.
func (r Route) UpstreamPort() int { return r.port }

// UpstreamScheme returns "http" or "https".
func (r Route) UpstreamScheme() string { return r.scheme }

// UpstreamURL returns the upstream as a URL without a path: "http://localhost:8001", "https://[2001:db8::1]:443".
func (r Route) UpstreamURL() string { return r.scheme + "://" + r.hostPort() }

func (r Route) hostPort() string { return net.JoinHostPort(r.host, strconv.Itoa(r.port)) }

// HealthCheckPath returns the path of the health check, or "" for the one of the settings.
func (r Route) HealthCheckPath() string { return r.healthPath }

// RequireHealthy reports whether a change has to wait for a healthy upstream.
func (r Route) RequireHealthy() bool { return r.requireHealthy }

// EnableSSL reports whether the route wants HTTPS.
func (r Route) EnableSSL() bool { return r.enableSSL }

// Enabled reports whether the route is to be served at all.
func (r Route) Enabled() bool { return r.enabled }

// HSTS reports whether browsers are told to use nothing but HTTPS.
func (r Route) HSTS() bool { return r.hsts }

// IsZero reports whether r is the zero Route, which is none.
func (r Route) IsZero() bool { return r.name == "" }

// Equal reports whether both routes ask for the same.
func (r Route) Equal(other Route) bool {
	if !slices.Equal(r.aliases, other.aliases) {
		return false
	}
	return r.scalars() == other.scalars()
}

type routeScalars struct {
	text  [9]string
	port  int
	flags [4]bool
}

func (r Route) scalars() routeScalars {
	return routeScalars{
		text: [...]string{r.name, r.domain, r.host, r.scheme, r.healthPath,
			r.maxBody, r.readTimeout, r.sendTimeout, r.connectTimeout},
		port:  r.port,
		flags: [...]bool{r.requireHealthy, r.enableSSL, r.hsts, r.enabled},
	}
}
