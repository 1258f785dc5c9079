package adopt

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// The route that does what the site does.

// names are the site's, those of HTTPS first, and those that are redirected there.
func (u *Site) names() []string {
	var names []string
	add := func(s *side) {
		for _, name := range s.site.ServerNames {
			if exact, ok := exactName(name); ok {
				name = exact
			}
			switch {
			case name == "_":
			case strings.ContainsAny(name, "~*^$\\") || strings.HasPrefix(name, "."):
				u.refuse(weighsShape, s.server, "server_name %s is a pattern, and a route has exact names only", name)
			case !slices.Contains(names, name):
				names = append(names, name)
			}
		}
	}
	for _, tls := range []bool{true, false} {
		for _, s := range u.sides {
			if u.isSite(s) && s.tls == tls {
				add(s)
			}
		}
	}
	for _, s := range u.sides {
		if s.does == redirects && u.isHTTPS() {
			add(s)
		}
	}
	return names
}

// exactName undoes nginxconf.Writer.Exact: routes write their longest names so.
func exactName(name string) (string, bool) {
	name, ok := strings.CutPrefix(name, "~^")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "$")
	name = strings.ReplaceAll(name, `\.`, ".")
	return name, ok && !strings.ContainsAny(name, `\^$*+?()[]{}|`)
}

// Route makes the route that does what the site does, or finds why there is none. was is the route that an edited file was made
// from; zero if it was made from none.
func (u *Site) Route(name string, was resources.Route, enabled bool) (r resources.Route, ok bool) {
	fields := u.fields(name, was)
	fields.Enabled = new(enabled)
	main := u.main()
	if main == nil && u.Has(Refused) {
		return r, false
	}
	r, err := resources.NewRoute(fields)
	if err != nil && !u.Has(Refused) { // which is why
		u.refuse(weighsShape, main.server, "no route can be made of it: %v", err)
	}
	return r, err == nil
}

// fields makes a route's fields of what was read. What the text does not say stays as the header of a managed file has it.
func (u *Site) fields(name string, was resources.Route) resources.RouteFields {
	f := resources.RouteFields{RequireHealthy: new(false)}
	if !was.IsZero() {
		f = was.Fields()
	}
	f.DropletName = name
	main := u.main()
	if main == nil {
		return f
	}
	names := u.names()
	if len(names) == 0 {
		u.refuse(weighsShape, main.server, "it has no server_name, and a route has a domain")
		return f
	}
	f.Domain, f.Aliases = names[0], names[1:]
	f.UpstreamScheme, f.UpstreamHost, f.UpstreamPort = u.to.scheme, u.to.host, u.to.port
	within := u.of(main, main.passed[0])
	for _, field := range resources.RouteTable().Fields() {
		if field.Directive == "" {
			continue
		}
		value := nginxDefaults[field.Directive]
		if said := within.of(field.Directive); len(said) > 0 && len(said[0].Args) == 1 {
			value = said[0].Args[0]
		}
		if value, err := resources.RouteTable().Check(field.Name, value); err == nil {
			_ = resources.RouteTable().Set(&f, field.Name, value) // it has just been checked
		}
	}
	u.https(&f, within)
	return f
}

// https says whether the route is served over HTTPS, and whether browsers are told so.
func (u *Site) https(f *resources.RouteFields, within scope) {
	if !u.isHTTPS() {
		f.EnableSSL = new(u.pending)
		return
	}
	f.EnableSSL, f.HSTS = new(true), new(false)
	for _, d := range within.of("add_header") {
		if isHSTS(d) && maxAge(d.Args[1]) > 0 {
			f.HSTS = new(true)
		}
	}
}

func isHSTS(d nginxconf.Directive) bool {
	return len(d.Args) > 1 && strings.EqualFold(d.Args[0], "Strict-Transport-Security")
}

// maxAge returns the seconds in an HSTS header; 0 for none.
func maxAge(value string) int {
	for part := range strings.SplitSeq(value, ";") {
		name, n, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(name, "max-age") {
			seconds, _ := strconv.Atoi(strings.Trim(n, `"`))
			return seconds
		}
	}
	return 0
}

// nginxDefaults are what counts where nothing is said, of the directives that fields stand for.
var nginxDefaults = map[string]string{
	"client_max_body_size": "1m", "proxy_connect_timeout": "60s", "proxy_read_timeout": "60s", "proxy_send_timeout": "60s",
}

func (u *Site) upstream(to string) (t target, problem string) {
	at, err := url.Parse(to)
	switch {
	case strings.Contains(to, "$"):
		return t, "proxy_pass to " + to + " is decided by variables"
	case err != nil || (at.Scheme != "http" && at.Scheme != "https") || at.Host == "" || strings.HasPrefix(at.Host, "unix:"):
		return t, "proxy_pass to " + to + " is not to a host and port"
	case (at.Path != "" && at.Path != "/") || at.RawQuery != "":
		return t, "proxy_pass to " + to + " changes the path"
	}
	hostPort := at.Host
	if block, ok := u.upstreams[hostPort]; ok {
		if hostPort, problem = oneServer(block); problem != "" {
			return t, problem
		}
		u.groups = append(u.groups, block)
	}
	t = target{scheme: at.Scheme, host: hostPort, port: map[string]int{"http": 80, "https": 443}[at.Scheme]}
	if h, port, err := net.SplitHostPort(hostPort); err == nil {
		t.host = h
		t.port, _ = strconv.Atoi(port) // 0 is refused with the route
	}
	t.host = strings.Trim(t.host, "[]")
	return t, ""
}

// oneServer returns the server of an upstream block. Both loopback addresses of one port are localhost.
func oneServer(block nginxconf.Directive) (host, problem string) {
	var servers []string
	for _, d := range block.Block {
		if d.Name == "server" && len(d.Args) > 0 {
			servers = append(servers, d.Args[0])
		}
	}
	if len(servers) == 2 {
		a, port, errA := net.SplitHostPort(servers[0])
		b, portB, errB := net.SplitHostPort(servers[1])
		if errA == nil && errB == nil && a == "127.0.0.1" && b == "::1" && port == portB {
			return net.JoinHostPort("localhost", port), ""
		}
	}
	switch {
	case len(servers) != 1:
		return "", fmt.Sprintf("upstream %s has %d servers, and a route has one", strings.Join(block.Args, " "), len(servers))
	case strings.HasPrefix(servers[0], "unix:"):
		return "", fmt.Sprintf("upstream %s is a unix socket", strings.Join(block.Args, " "))
	}
	return servers[0], ""
}
