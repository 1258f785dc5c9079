package resources

import (
	"cmp"
	"encoding/json"
	"strconv"
	"time"
)

// The defaults of a route's fields.
const (
	defaultHost           = "localhost"
	defaultMaxBody        = "100m"
	defaultReadTimeout    = "60s"
	defaultSendTimeout    = "60s"
	defaultConnectTimeout = "5s"

	maxTimeout = 24 * time.Hour
	// maxConnect is what nginx's documentation gives for proxy_connect_timeout: no system waits longer.
	maxConnect = 75 * time.Second
)

// NewRoute checks every field and fills in the defaults. The error is a *[FieldError] or nil.
func NewRoute(f RouteFields) (Route, error) {
	r := Route{
		port:           f.UpstreamPort,
		healthPath:     f.HealthCheckPath,
		requireHealthy: orDefault(f.RequireHealthy, true),
		enableSSL:      orDefault(f.EnableSSL, true),
		hsts:           orDefault(f.HSTS, false),
		enabled:        orDefault(f.Enabled, true),
	}
	for _, check := range []func(*RouteFields) error{r.setNames, r.setUpstream, r.setLimits} {
		if err := check(&f); err != nil {
			return Route{}, err
		}
	}
	return r, nil
}

func orDefault(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

func (r *Route) setNames(f *RouteFields) (err error) {
	if r.name, err = parseName("droplet_name", f.DropletName); err != nil {
		return err
	}
	if len(f.Aliases) >= maxDomains {
		return &FieldError{Field: "aliases", Constraint: "must be fewer than " + strconv.Itoa(maxDomains)}
	}
	if len(f.Aliases) == 0 {
		r.domain, err = parseDomain("domain", f.Domain)
		return err
	}
	domains, err := parseDomains(aliasField, append([]string{f.Domain}, f.Aliases...))
	if err != nil {
		return err
	}
	r.domain, r.aliases = domains[0], domains[1:]
	return nil
}

// aliasField names the i-th of a route's domains.
func aliasField(i int) string {
	if i == 0 {
		return "domain"
	}
	return "aliases[" + strconv.Itoa(i-1) + "]"
}

func (r *Route) setUpstream(f *RouteFields) (err error) {
	if r.host, r.addr, err = parseHost("upstream_host", cmp.Or(f.UpstreamHost, defaultHost)); err != nil {
		return err
	}
	if err = parsePort("upstream_port", f.UpstreamPort); err != nil {
		return err
	}
	if r.scheme, err = parseChoice("upstream_scheme", f.UpstreamScheme, "http", "https"); err != nil {
		return err
	}
	if f.HealthCheckPath != "" {
		return parsePath("health_check_path", f.HealthCheckPath)
	}
	return nil
}

func (r *Route) setLimits(f *RouteFields) (err error) {
	if r.maxBody, err = parseSize("max_body_size", cmp.Or(f.MaxBodySize, defaultMaxBody)); err != nil {
		return err
	}
	if r.readTimeout, err = parseTimeout("read_timeout", cmp.Or(f.ReadTimeout, defaultReadTimeout), maxTimeout); err != nil {
		return err
	}
	if r.sendTimeout, err = parseTimeout("send_timeout", cmp.Or(f.SendTimeout, defaultSendTimeout), maxTimeout); err != nil {
		return err
	}
	r.connectTimeout, err = parseTimeout("connect_timeout", cmp.Or(f.ConnectTimeout, defaultConnectTimeout), maxConnect)
	return err
}

// Fields returns the route's fields with all defaults filled in. HealthCheckPath stays empty for the one of the settings.
func (r Route) Fields() RouteFields {
	return RouteFields{
		DropletName: r.name, Domain: r.domain, Aliases: append([]string(nil), r.aliases...),
		UpstreamHost: r.host, UpstreamPort: r.port, UpstreamScheme: r.scheme,
		RequireHealthy: new(r.requireHealthy), EnableSSL: new(r.enableSSL), HSTS: new(r.hsts), Enabled: new(r.enabled),
		HealthCheckPath: r.healthPath, MaxBodySize: r.maxBody,
		ReadTimeout: r.readTimeout, SendTimeout: r.sendTimeout, ConnectTimeout: r.connectTimeout,
	}
}

// MarshalJSON returns the canonical form: one line, the fields in one order, and those that few routes set only where they
// differ from their defaults. Equal routes give equal bytes.
func (r Route) MarshalJSON() ([]byte, error) {
	f := RouteFields{
		DropletName: r.name, Domain: r.domain, Aliases: r.aliases,
		UpstreamHost: r.host, UpstreamPort: r.port,
		RequireHealthy: &r.requireHealthy, EnableSSL: &r.enableSSL,
		UpstreamScheme:  unlessDefault(r.scheme, "http"),
		HealthCheckPath: r.healthPath,
		MaxBodySize:     unlessDefault(r.maxBody, defaultMaxBody),
		ReadTimeout:     unlessDefault(r.readTimeout, defaultReadTimeout),
		SendTimeout:     unlessDefault(r.sendTimeout, defaultSendTimeout),
		ConnectTimeout:  unlessDefault(r.connectTimeout, defaultConnectTimeout),
	}
	if r.hsts {
		f.HSTS = &r.hsts
	}
	if !r.enabled {
		f.Enabled = &r.enabled
	}
	return json.Marshal(&f)
}

func unlessDefault(s, otherwise string) string {
	if s == otherwise {
		return ""
	}
	return s
}
