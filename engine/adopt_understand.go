package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// An understanding is what is made out of a site that somebody wrote by hand.
type understanding struct {
	file     string
	settings resources.Settings

	names     []string // server names, in order, once each
	passes    []nginxconf.Directive
	upstreams map[string]nginxconf.Directive // blocks, by name
	set       map[string]string              // variables that are set to a text
	ssl, hsts bool
	values    map[string]string // of the directives that become fields
	problems  []string
}

// walk calls see for every directive, with the blocks it is in, the outermost first.
func walk(tree []nginxconf.Directive, see func(d nginxconf.Directive, within []nginxconf.Directive)) {
	var down func(tree, within []nginxconf.Directive)
	down = func(tree, within []nginxconf.Directive) {
		for _, d := range tree {
			see(d, within)
			down(d.Block, append(slices.Clip(within), d))
		}
	}
	down(tree, nil)
}

// read collects what matters of the site.
func (u *understanding) read(tree []nginxconf.Directive) {
	u.upstreams, u.set, u.values = map[string]nginxconf.Directive{}, map[string]string{}, map[string]string{}
	for _, s := range resources.Sites(tree) {
		for _, l := range s.Listens {
			u.listen(s, l)
		}
		for _, name := range s.ServerNames {
			u.name(s, name)
		}
	}
	walk(tree, u.see)
}

func (u *understanding) problem(line int, format string, args ...any) {
	u.problems = append(u.problems, fmt.Sprintf("line %d: ", line)+fmt.Sprintf(format, args...))
}

func (u *understanding) listen(s resources.Site, l resources.Listen) {
	u.ssl = u.ssl || l.SSL
	want := cmp.Or(u.settings.HTTPPort, 80)
	if l.SSL {
		want = cmp.Or(u.settings.HTTPSPort, 443)
	}
	if l.Port != want {
		u.problem(s.Line, "it listens on port %d, and routes on %d", l.Port, want)
	}
}

func (u *understanding) name(s resources.Site, name string) {
	if exact, ok := exactName(name); ok {
		name = exact
	}
	switch {
	case name == "" || name == "_":
	case strings.ContainsAny(name, "~*^$\\") || strings.HasPrefix(name, "."):
		u.problem(s.Line, "server_name %s is a pattern, and a route has exact names only", name)
	case !slices.Contains(u.names, name):
		u.names = append(u.names, name)
	}
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

func (u *understanding) see(d nginxconf.Directive, within []nginxconf.Directive) {
	switch {
	case d.Name == "upstream" && len(d.Args) == 1:
		u.upstreams[d.Args[0]] = d
	case d.Name == "set" && len(d.Args) == 2:
		u.set[d.Args[0]] = d.Args[1]
	case d.Name == "proxy_pass" && len(d.Args) == 1:
		u.pass(d, within)
	case resources.RouteTable().HasDirective(d.Name) && len(d.Args) == 1:
		u.values[d.Name] = d.Args[0] // an inner one comes after, and counts
	case d.Name == "add_header" && len(d.Args) > 1 && strings.EqualFold(d.Args[0], "Strict-Transport-Security"):
		u.hsts = true
	case slices.Contains([]string{"fastcgi_pass", "uwsgi_pass", "grpc_pass", "scgi_pass", "memcached_pass"}, d.Name):
		u.problem(d.Line, "%s is not HTTP", d.Name)
	}
}

// pass notes where requests go. A route passes everything, under the path that was asked for.
func (u *understanding) pass(d nginxconf.Directive, within []nginxconf.Directive) {
	for _, w := range within {
		if w.Name == "location" && !slices.Equal(w.Args, []string{"/"}) {
			u.problem(w.Line, "location %s is passed on by itself, and a route has one location, /", strings.Join(w.Args, " "))
		}
		if w.Name == "if" {
			u.problem(w.Line, "what is passed on depends on a condition")
		}
	}
	u.passes = append(u.passes, d)
}

// fields makes a route's fields of what was read, or says why not.
func (u *understanding) fields(name string) (f resources.RouteFields, err error) {
	f = resources.RouteFields{DropletName: name, EnableSSL: new(u.ssl), RequireHealthy: new(false)}
	if len(u.names) == 0 && len(u.problems) == 0 {
		u.problems = append(u.problems, "it has no server_name, and a route has a domain")
	}
	u.target(&f)
	if len(u.problems) > 0 {
		return f, notUnderstood(u.file, strings.Join(u.problems, "; "))
	}
	f.Domain, f.Aliases = u.names[0], u.names[1:]
	if u.hsts {
		f.HSTS = new(true)
	}
	for _, directive := range slices.Sorted(maps.Keys(u.values)) {
		if err := resources.RouteTable().SetDirective(&f, directive, u.values[directive]); err != nil {
			return f, notUnderstood(u.file, err.Error())
		}
	}
	return f, nil
}

// target works out the one upstream.
func (u *understanding) target(f *resources.RouteFields) {
	if len(u.passes) == 0 {
		if len(u.problems) == 0 {
			u.problems = append(u.problems, "it passes nothing on: there is no proxy_pass")
		}
		return
	}
	seen := ""
	for _, d := range u.passes {
		to := d.Args[0]
		if text, ok := u.set[to]; ok {
			to = text
		}
		if seen != "" && seen != to {
			u.problem(d.Line, "it passes on to %s as well as to %s, and a route has one upstream", to, seen)
			return
		}
		seen = to
		if problem := u.upstream(to, f); problem != "" {
			u.problem(d.Line, "%s", problem)
		}
	}
}

func (u *understanding) upstream(to string, f *resources.RouteFields) (problem string) {
	at, err := url.Parse(to)
	switch {
	case strings.Contains(to, "$"):
		return "proxy_pass to " + to + " is decided by variables"
	case err != nil || (at.Scheme != "http" && at.Scheme != "https") || at.Host == "" || strings.HasPrefix(at.Host, "unix:"):
		return "proxy_pass to " + to + " is not to a host and port"
	case (at.Path != "" && at.Path != "/") || at.RawQuery != "":
		return "proxy_pass to " + to + " changes the path"
	}
	host := at.Host
	if block, ok := u.upstreams[host]; ok {
		if host, problem = oneServer(block); problem != "" {
			return problem
		}
	}
	f.UpstreamScheme = at.Scheme
	f.UpstreamHost, f.UpstreamPort = host, map[string]int{"http": 80, "https": 443}[at.Scheme]
	if h, port, err := net.SplitHostPort(host); err == nil {
		f.UpstreamHost = h
		f.UpstreamPort, _ = strconv.Atoi(port) // 0 is refused with the route
	}
	f.UpstreamHost = strings.Trim(f.UpstreamHost, "[]")
	return ""
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

// coveredNames are directives whose work every route does, if with other values: they are no loss.
var coveredNames = map[string]bool{
	"listen": true, "server_name": true, "server": true, "upstream": true, "keepalive": true, "proxy_pass": true, "set": true,
	"proxy_http_version": true, "ssl": true, "http2": true, "resolver": true, "resolver_timeout": true,
	"ssl_certificate": true, "ssl_certificate_key": true, "ssl_protocols": true, "ssl_ciphers": true, "ssl_dhparam": true,
	"ssl_prefer_server_ciphers": true, "ssl_session_cache": true, "ssl_session_timeout": true, "ssl_session_tickets": true,
	"ssl_ecdh_curve": true, "ssl_stapling": true, "ssl_stapling_verify": true, "ssl_trusted_certificate": true,
}

// coveredHeaders are the request headers that every route sets.
var coveredHeaders = []string{"host", "upgrade", "connection", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"}

// covered reports whether every route does what a directive does.
func covered(d nginxconf.Directive, within []nginxconf.Directive) bool {
	first := ""
	if len(d.Args) > 0 {
		first = d.Args[0]
	}
	for _, w := range within {
		if challenge(w) || toHTTPS(w) {
			return true // with all that is in it
		}
	}
	switch {
	case coveredNames[d.Name], resources.RouteTable().HasDirective(d.Name), challenge(d), toHTTPS(d):
		return true
	case d.Name == "proxy_set_header":
		return slices.Contains(coveredHeaders, strings.ToLower(first))
	case d.Name == "add_header":
		return strings.EqualFold(first, "Strict-Transport-Security")
	case d.Name == "include":
		return strings.HasSuffix(first, "/options-ssl-nginx.conf") || strings.HasSuffix(first, "proxy_params")
	case d.Name == "location":
		return first == "/"
	case d.Name == "return":
		// certbot has 404 follow its redirect, for names that are not the server's.
		return redirects(d) || (len(within) > 0 && slices.ContainsFunc(within[len(within)-1].Block, toHTTPS))
	}
	return false
}

// redirects reports whether a return sends everybody to the same place over HTTPS, as a route with a certificate does.
func redirects(d nginxconf.Directive) bool {
	to := strings.Join(d.Args, " ")
	return d.Name == "return" && (strings.HasPrefix(to, "301 https://$host") || strings.HasPrefix(to, "301 https://$server_name"))
}

func challenge(d nginxconf.Directive) bool {
	return d.Name == "location" && strings.Contains(strings.Join(d.Args, " "), "/.well-known/acme-challenge")
}

// toHTTPS is the condition around certbot's redirect.
func toHTTPS(d nginxconf.Directive) bool {
	return d.Name == "if" && len(d.Block) == 1 && redirects(d.Block[0])
}
