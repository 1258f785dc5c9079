package adopt

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// settings compares what counts in a location of the site with what counts in the route's.
func (c *comparison) settings(s *side, location nginxconf.Directive) {
	site, route := c.of(s, location), c.at(s)
	if route == nil {
		return
	}
	var told []string
	for _, level := range (scope{c.http, s.server.Block, location.Block}) { // what stands in no server is judged by itself
		for _, d := range level {
			if d.Block == nil && !slices.Contains(told, d.Name) {
				told = append(told, d.Name)
				c.setting(s, location, d.Name, site.of(d.Name), route.of(d.Name))
			}
		}
	}
	for directive, value := range nginxDefaults {
		if is := route.of(directive); !slices.Contains(told, directive) && len(is) > 0 && !sameAmount(directive, value, is[0].Args[0]) {
			c.lose(weighsRest, s.server, "no %s, which is %s; the route has %s", directive, value, is[0].Args[0])
		}
	}
	c.headers(s, location, site, route)
	c.upstreamTLS(s, location, site, route)
	if pass := directiveIn(location, "proxy_pass"); strings.HasSuffix(strings.Join(pass.Args, ""), "/") {
		c.note(weighsUpstream, pass, "%s: the path is passed on as it was asked for, no longer decoded", textOfDirective(pass))
	}
}

func directiveIn(block nginxconf.Directive, name string) nginxconf.Directive {
	for _, d := range block.Block {
		if d.Name == name {
			return d
		}
	}
	return nginxconf.Directive{}
}

func sameAmount(directive, a, b string) bool {
	x, okA := quantity(directive, a)
	y, okB := quantity(directive, b)
	return okA && okB && x == y
}

// Directives that are compared elsewhere, or whose work no client and no upstream sees.
var quiet = map[string]bool{
	"listen": true, "server_name": true, "proxy_pass": true, "proxy_set_header": true, "ssl_certificate": true, "ssl_certificate_key": true,
	"set": true, "root": true, "index": true, "default_type": true, "types_hash_max_size": true,
	"deny": true, "allow": true, "auth_basic": true, "auth_basic_user_file": true, "auth_request": true, "auth_request_set": true,
	"satisfy": true, "internal": true, "ssl_verify_client": true, "ssl_verify_depth": true, "ssl_client_certificate": true, "ssl_crl": true,
	"return": true, "rewrite": true, "rewrite_log": true,
	"ssl": true, "http2": true, "proxy_http_version": true, "resolver": true, "resolver_timeout": true,
	"ssl_prefer_server_ciphers": true, "ssl_session_cache": true, "ssl_session_timeout": true, "ssl_session_tickets": true,
	"ssl_dhparam": true, "ssl_stapling": true, "ssl_stapling_verify": true, "ssl_trusted_certificate": true, "ssl_buffer_size": true,
	"proxy_ssl_verify": true, "proxy_ssl_session_reuse": true, "proxy_ssl_protocols": true, "proxy_ssl_verify_depth": true,
	"reset_timedout_connection": true, "tcp_nodelay": true, "tcp_nopush": true, "sendfile": true, "keepalive_requests": true, "keepalive_min_timeout": true,
	"proxy_next_upstream": true, "proxy_next_upstream_tries": true, "proxy_next_upstream_timeout": true, "proxy_socket_keepalive": true,
	"proxy_temp_file_write_size": true, "proxy_busy_buffers_size": true, "client_body_buffer_size": true, "client_header_buffer_size": true,
	"proxy_ignore_headers": true, "proxy_hide_header": true,
}

// atLeast are bounds that do no harm where they are larger.
var atLeast = []string{
	"large_client_header_buffers", "client_header_timeout", "client_body_timeout", "send_timeout", "keepalive_timeout",
	"proxy_buffer_size", "proxy_buffers",
}

// setting compares one directive.
func (c *comparison) setting(s *side, location nginxconf.Directive, name string, site, route []nginxconf.Directive) {
	if sameTexts(site, route) {
		return
	}
	switch {
	case name == "add_header":
		c.answerHeaders(s, site, route)
	case name == "proxy_ignore_headers", name == "proxy_hide_header":
		c.lists(site, route)
	case quiet[name], strings.HasPrefix(name, "proxy_cache_"), name == "proxy_no_cache": // without proxy_cache, which is said, they do nothing
	case name == "proxy_redirect":
		if !slices.Contains([]string{"off", "default"}, strings.Join(site[0].Args, " ")) {
			c.lose(weighsUpstream, site[0], "%s", instead(site[0], route))
		}
	case name == "server_tokens":
		c.note(weighsRest, site[0], "%s", instead(site[0], route))
	case name == "ssl_protocols":
		c.protocols(site[0], route)
	case name == "ssl_ciphers", name == "ssl_ecdh_curve", name == "ssl_conf_command":
		if site[0].File == c.file || c.included[site[0].File] > 0 {
			c.note(weighsHTTPS, site[0], "%s", instead(site[0], route))
		}
	case slices.Contains(atLeast, name):
		c.bound(site[0], route)
	case resources.RouteTable().HasDirective(name) && len(route) == 1 && sameAmount(name, strings.Join(site[0].Args, " "), strings.Join(route[0].Args, " ")):
	default:
		for _, d := range site {
			c.lose(weighsRest, d, "%s", instead(d, route))
		}
	}
}

func sameTexts(a, b []nginxconf.Directive) bool {
	return slices.EqualFunc(a, b, func(x, y nginxconf.Directive) bool { return textOfDirective(x) == textOfDirective(y) })
}

func (c *comparison) bound(site nginxconf.Directive, route []nginxconf.Directive) {
	n, ok := amount(site)
	if !ok || len(route) == 0 {
		c.lose(weighsRest, site, "%s", instead(site, route))
		return
	}
	switch m, ok := amount(route[0]); {
	case !ok || n > m:
		c.lose(weighsRest, site, "%s", instead(site, route))
	case n < m:
		c.note(weighsRest, site, "%s", instead(site, route))
	}
}

// lists compares the header names that directives list.
func (c *comparison) lists(site, route []nginxconf.Directive) {
	// The last four count for caching alone, which is lost by itself.
	kept := []string{"cache-control", "expires", "set-cookie", "vary"}
	for _, d := range route {
		for _, a := range d.Args {
			kept = append(kept, strings.ToLower(a))
		}
	}
	for _, d := range site {
		if slices.ContainsFunc(d.Args, func(a string) bool {
			return !slices.Contains(kept, strings.ToLower(a)) || d.Name == "proxy_hide_header" && slices.Index(kept, strings.ToLower(a)) < 4
		}) {
			c.lose(weighsRest, d, "%s", textOfDirective(d))
		}
	}
}

// protocols compares versions of TLS: one that the site does not speak and its route would is a loss of what the site
// insists on.
func (c *comparison) protocols(site nginxconf.Directive, route []nginxconf.Directive) {
	var more, fewer []string
	for _, d := range route {
		for _, p := range d.Args {
			if !slices.Contains(site.Args, p) {
				more = append(more, p)
			}
		}
		for _, p := range site.Args {
			if !slices.Contains(d.Args, p) {
				fewer = append(fewer, p)
			}
		}
	}
	switch {
	case slices.Equal(more, []string{"TLSv1.3"}), len(more) == 0 && len(fewer) > 0:
		if site.File == c.file || c.included[site.File] > 0 {
			c.note(weighsHTTPS, site, "%s", instead(site, route))
		}
	case len(more) > 0:
		c.lose(weighsHTTPS, site, "%s: the route speaks %s, too", textOfDirective(site), strings.Join(more, " "))
	}
}

// answerHeaders compares what is added to answers.
func (c *comparison) answerHeaders(s *side, site, route []nginxconf.Directive) {
	added := func(d nginxconf.Directive) string {
		return strings.ToLower(d.Args[0]) + ": " + strings.Trim(strings.ReplaceAll(d.Args[1], " ", ""), ";")
	}
	has := func(list []nginxconf.Directive, d nginxconf.Directive) bool {
		return slices.ContainsFunc(list, func(o nginxconf.Directive) bool { return len(o.Args) > 1 && added(o) == added(d) })
	}
	for _, d := range site {
		switch {
		case len(d.Args) < 2 || has(route, d):
		case isHSTS(d) && s.tls:
			c.lose(weighsHTTPS, d, "%s", instead(d, slices.DeleteFunc(slices.Clone(route), func(o nginxconf.Directive) bool { return !isHSTS(o) })))
		case isHSTS(d) && c.servesHTTPS():
			// Browsers pass over it where it comes over HTTP.
		default:
			c.lose(weighsRest, d, "%s", textOfDirective(d))
		}
	}
	for _, d := range route {
		if len(d.Args) > 1 && !isHSTS(d) && !has(site, d) {
			c.note(weighsRest, d, "%s counts for the route", textOfDirective(d))
		}
	}
}

// headers compares what the upstream is told.
func (c *comparison) headers(s *side, location nginxconf.Directive, site, route scope) {
	constants := scope{s.server.Block, location.Block}.constants()
	said := map[string]nginxconf.Directive{}
	for _, d := range site.of("proxy_set_header") {
		if len(d.Args) == 2 {
			said[strings.ToLower(d.Args[0])] = d
		}
	}
	routes := map[string]string{}
	var added []string
	for _, d := range route.of("proxy_set_header") {
		if len(d.Args) != 2 {
			continue
		}
		name := strings.ToLower(d.Args[0])
		routes[name] = d.Args[1]
		if _, ok := said[name]; !ok && name != "host" && d.Args[1] != "" {
			added = append(added, d.Args[0])
		}
	}
	if _, ok := said["host"]; !ok {
		pass := directiveIn(location, "proxy_pass")
		c.lose(weighsUpstream, pass, "no Host is set, so the upstream is asked for its own name ($proxy_host); the route passes on what the client asked for")
	}
	for name, d := range said {
		value, ok := routes[name]
		c.header(s, d, name, c.plain(s, expand(d.Args[1], constants)), c.plain(s, value), ok)
	}
	if len(added) > 0 {
		c.note(weighsUpstream, location, "the route also sets %s, and takes away other headers by which clients could say who they are", strings.Join(added, ", "))
	}
}

// plain puts what variables stand for on a side in their place.
func (c *comparison) plain(s *side, value string) string {
	scheme := "http"
	if s.tls {
		scheme = "https"
	}
	known := map[string]string{"scheme": scheme, "server_port": strconv.Itoa(c.port(s.tls))}
	if len(s.site.ServerNames) == 1 {
		known["host"], known["server_name"] = s.site.ServerNames[0], s.site.ServerNames[0]
	}
	return expand(value, known)
}

func (c *comparison) header(s *side, d nginxconf.Directive, name, value, route string, set bool) {
	onUsualPort := c.port(s.tls) == map[bool]int{false: 80, true: 443}[s.tls]
	switch {
	case set && value == route:
	case slices.Contains([]string{"upgrade", "connection"}, name) && isConnection(value):
	case slices.Contains([]string{"host", "x-forwarded-host"}, name) && value == "$http_host" && onUsualPort:
		c.note(weighsUpstream, d, "%s: the route passes on the name without a port", textOfDirective(d))
	case name == "x-forwarded-for" && value == "$proxy_add_x_forwarded_for":
		c.note(weighsUpstream, d, "%s: the route believes no X-Forwarded-For but that of trusted proxies (TRUSTED_PROXIES)", textOfDirective(d))
	case set:
		c.lose(weighsUpstream, d, "%s; the route sends %s", textOfDirective(d), quotedOrNone(route))
	default:
		c.lose(weighsUpstream, d, "%s", textOfDirective(d))
	}
}

func quotedOrNone(value string) string {
	if value == "" {
		return "none"
	}
	return strconv.Quote(value)
}

// isConnection reports whether a value of Upgrade or Connection does what the route's maps do.
func isConnection(value string) bool {
	return slices.Contains([]string{"", "upgrade", "$http_upgrade", "$connection_upgrade", "$http_connection", "websocket", "keep-alive", "close"}, strings.ToLower(value))
}

// upstreamTLS compares whether the upstream's certificate is verified.
func (c *comparison) upstreamTLS(s *side, location nginxconf.Directive, site, route scope) {
	if c.to.scheme != "https" {
		return
	}
	on := func(sc scope) bool {
		ds := sc.of("proxy_ssl_verify")
		return len(ds) > 0 && slices.Equal(ds[0].Args, []string{"on"})
	}
	at := directiveIn(location, "proxy_pass")
	switch {
	case on(site) && !on(route):
		c.lose(weighsUpstream, site.of("proxy_ssl_verify")[0], "proxy_ssl_verify on: the route does not verify the upstream's certificate")
	case on(route) && !on(site):
		c.lose(weighsUpstream, at, "the upstream's certificate is not verified; the route does that")
	}
}
