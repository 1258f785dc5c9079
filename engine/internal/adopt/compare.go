package adopt

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A comparison is of what a site does with what its route will do: values, and where they count.
type comparison struct {
	*Site
	route  map[bool]scope // its location, over plain HTTP and over HTTPS
	listen []resources.Listen
	cert   *resources.CertificateFiles
	// isOwn reports whether certbot's certificate at a path is renewed by this program.
	isOwn func(fullchain string) bool
}

// CompareWith finds what the route, as it is rendered, does otherwise. isOwn reports whether certbot's certificate at a path is
// renewed by this program.
func (u *Site) CompareWith(rendered []nginxconf.Directive, cert *resources.CertificateFiles, isOwn func(string) bool) {
	c := &comparison{Site: u, route: map[bool]scope{}, cert: cert, isOwn: isOwn}
	for _, d := range rendered {
		if d.Name != "server" {
			continue
		}
		site := resources.Sites([]nginxconf.Directive{d})[0]
		c.listen = append(c.listen, site.Listens...)
		for _, l := range d.Block {
			if l.Name == "location" && isRoot(l) && slices.ContainsFunc(l.Block, func(p nginxconf.Directive) bool { return p.Name == "proxy_pass" }) {
				c.route[site.Listens[0].SSL] = scope{u.http, d.Block, l.Block}
			}
		}
	}
	for _, s := range u.sides {
		c.side(s)
	}
	c.shared()
	for _, group := range c.groups {
		c.upstreamBlock(group)
	}
	if main := c.main(); main != nil && (resources.Upstream{Host: c.to.host}).ByName() {
		c.note(weighsUpstream, main.by, "%s: the route asks DNS for the name while it serves, and never /etc/hosts", textOfDirective(main.by))
	}
}

func (c *comparison) servesHTTPS() bool { return c.route[true] != nil }

// at returns what a request to a side gets from the route, redirects followed.
func (c *comparison) at(s *side) scope {
	if way := c.route[s.tls]; way != nil {
		return way
	}
	return c.route[true]
}

func (c *comparison) side(s *side) {
	c.defaultPlace(s)
	switch {
	case c.isSite(s):
		c.listens(s)
		c.certificate(s)
		if !s.tls && c.servesHTTPS() {
			c.lose(weighsHTTPS, s.by, "HTTP is served, too; the route redirects it to HTTPS")
		}
		for _, location := range s.passed {
			c.settings(s, location)
		}
		c.otherDirectives(s)
	case s.does == redirects:
		if c.isNamed(s) {
			c.listens(s)
			c.redirects(s)
			c.otherDirectives(s)
			return
		}
		c.another(s)
	default:
		c.another(s)
	}
}

// isNamed reports whether a side redirects names, and not whoever asks for a name that is nobody's.
func (c *comparison) isNamed(s *side) bool {
	return slices.ContainsFunc(s.site.ServerNames, func(name string) bool { return name != "_" })
}

// another is a server of the file that is not the site: it goes with the file.
func (c *comparison) another(s *side) {
	name := strings.Join(s.site.ServerNames, " ")
	if name == "" {
		name = "without a name"
	}
	c.lose(weighsServer, s.server, "another server of the file, %s, goes with it", name)
}

func (c *comparison) defaultPlace(s *side) {
	for _, d := range s.server.Block {
		if d.Name == "listen" && slices.ContainsFunc(d.Args, func(a string) bool { return a == "default_server" || a == "default" }) {
			c.lose(weighsPlace, d, "%s: names that no site has are answered here; the route answers for its own only", textOfDirective(d))
		}
	}
}

// listens compares the sockets.
func (c *comparison) listens(s *side) {
	said := scope{s.server.Block}.of("listen")
	if said == nil {
		said = []nginxconf.Directive{{Name: "listen", Args: []string{"80"}, File: s.server.File, Line: s.server.Line}} // as nginx does
	}
	if !slices.ContainsFunc(said, func(d nginxconf.Directive) bool { return !isIPv6Alone(d) }) {
		c.lose(weighsListen, said[0], "%s: it listens on IPv6 alone, and a route on IPv4, too", textOfDirective(said[0]))
	}
	for _, d := range said {
		one := nginxconf.Directive{Name: "server", Block: append([]nginxconf.Directive{d}, scope{s.server.Block}.of("ssl")...)}
		for _, l := range resources.Sites([]nginxconf.Directive{one})[0].Listens {
			if l.SSL == s.tls && len(d.Args) > 0 {
				c.socket(d, l, s)
			}
		}
	}
}

// isIPv6Alone reports whether a listen directive takes IPv6 and, as is nginx's default, nothing else.
func isIPv6Alone(d nginxconf.Directive) bool {
	return len(d.Args) > 0 && strings.HasPrefix(d.Args[0], "[::]:") && !slices.Contains(d.Args, "ipv6only=off")
}

func (c *comparison) socket(d nginxconf.Directive, l resources.Listen, s *side) {
	l.Default, l.SSL = false, s.tls
	params := d.Args[1:]
	switch {
	case l.Address == "" && l.Port != c.port(s.tls):
		c.refuse(weighsListen, d, "%s: it listens on port %d, and routes on %d", textOfDirective(d), l.Port, c.port(s.tls))
	case l.Address != "" && !slices.Contains(c.listen, l):
		c.refuse(weighsListen, d, "%s: it listens on this address alone, and a route on all", textOfDirective(d))
	case slices.Contains(params, "proxy_protocol"):
		c.refuse(weighsListen, d, "%s: a route does not speak the PROXY protocol, so whoever connects so would get no answer", textOfDirective(d))
	case slices.Contains(params, "quic"):
		c.lose(weighsHTTPS, d, "%s: HTTP/3", textOfDirective(d))
	case slices.Contains(params, "http2") && !s.tls:
		c.lose(weighsRest, d, "%s: HTTP/2 without TLS", textOfDirective(d))
	}
	for _, p := range params {
		if name, _, _ := strings.Cut(p, "="); slices.Contains([]string{"backlog", "reuseport", "deferred", "fastopen", "so_keepalive", "rcvbuf", "sndbuf", "accept_filter", "setfib"}, name) {
			c.note(weighsRest, d, "%s: the route's sockets are without %s", textOfDirective(d), p)
		}
	}
}

// certificate makes sure that what is served over HTTPS stays so.
func (c *comparison) certificate(s *side) {
	if !s.tls {
		return
	}
	said := c.of(s, nginxconf.Directive{}).of("ssl_certificate")
	if !c.servesHTTPS() {
		at := s.server
		if len(said) > 0 {
			at = said[0]
		}
		c.refuse(weighsCertificate, at, "HTTPS would be lost: certbot has no valid certificate for all of %s that a route could use", strings.Join(c.names(), ", "))
		return
	}
	for _, d := range said {
		path := strings.Join(d.Args, " ")
		switch {
		case path == c.cert.Fullchain:
		case strings.Contains(path, "/live/"):
			c.note(weighsCertificate, d, "%s: the route is served with %s", textOfDirective(d), c.cert.Fullchain)
		default:
			c.lose(weighsCertificate, d, "%s: the route is served with %s", textOfDirective(d), c.cert.Fullchain)
		}
	}
}

// redirects compares where HTTP is redirected to. The route redirects each name to itself.
func (c *comparison) redirects(s *side) {
	if !c.servesHTTPS() {
		if !c.isHTTPS() {
			c.refuse(weighsRedirect, s.by, "%s: the route would not redirect, it has no HTTPS", textOfDirective(s.by))
		}
		return // its certificate is what is missing, which is said
	}
	status, to := redirect(s.by)
	rest := strings.TrimPrefix(to, "https://")
	host, path := rest, ""
	if i := strings.IndexAny(strings.TrimLeft(rest, "$"), "/$"); i >= 0 {
		i += len(rest) - len(strings.TrimLeft(rest, "$"))
		host, path = rest[:i], rest[i:]
	}
	host, port, _ := strings.Cut(host, ":")
	for _, name := range s.site.ServerNames {
		if exact, ok := exactName(name); ok {
			name = exact
		}
		goes := strings.ToLower(host)
		switch goes {
		case "$host", "$http_host":
			goes = name
		case "$server_name":
			goes = s.site.ServerNames[0]
		}
		if goes != name && name != "_" {
			c.refuse(weighsRedirect, s.by, "%s: %s is redirected to another name, and a route redirects it to itself", textOfDirective(s.by), name)
		}
	}
	if port != "" && port != "443" && port != strconv.Itoa(c.port(true)) {
		c.lose(weighsRedirect, s.by, "%s: the route redirects to port %d", textOfDirective(s.by), c.port(true))
	}
	if !slices.Contains([]string{"$request_uri", "$uri$is_args$args", "$uri$is_args$query_string"}, path) {
		c.lose(weighsRedirect, s.by, "%s: the route redirects to the path that was asked for", textOfDirective(s.by))
	}
	switch status {
	case "301":
	case "308":
		c.note(weighsRedirect, s.by, "%s: the route redirects with 301", textOfDirective(s.by))
	default:
		c.lose(weighsRedirect, s.by, "%s: the route redirects with 301, for good", textOfDirective(s.by))
	}
}

// otherDirectives are the locations and conditions of a server that its route has not.
func (c *comparison) otherDirectives(s *side) {
	for _, d := range s.server.Block {
		switch {
		case challenge(d):
			c.challenge(s, d)
		case c.known[spotOf(d)], d.Block == nil:
		case d.Name == "location" && (isRoot(d) || slices.ContainsFunc(s.passed, func(p nginxconf.Directive) bool { return spotOf(p) == spotOf(d) })):
			for _, inner := range d.Block {
				if inner.Block != nil && !c.known[spotOf(inner)] {
					c.lose(weighsRest, inner, "%s", textOfDirective(inner))
				}
			}
		case d.Name == "location" && s.does == redirects && spotOf(s.by) != spotOf(d) && !c.redirectsByLocation(s):
			// Never reached: all is redirected before.
		default:
			c.lose(weighsRest, d, "%s", textOfDirective(d))
		}
	}
}

// redirectsByLocation reports whether a side redirects what no other location takes.
func (c *comparison) redirectsByLocation(s *side) bool {
	return !slices.ContainsFunc(s.server.Block, func(d nginxconf.Directive) bool {
		return spotOf(d) == spotOf(s.by) || d.Name == "if" && len(d.Block) == 1 && spotOf(d.Block[0]) == spotOf(s.by)
	})
}

// challenge compares who answers an ACME CA. A certificate that certbot renews by itself through the site's folder can't
// be renewed any more once the route answers from its own.
func (c *comparison) challenge(s *side, location nginxconf.Directive) {
	for _, d := range location.Block {
		if d.Name == "root" && slices.Equal(d.Args, []string{c.host.Webroot}) {
			return
		}
	}
	if c.cert != nil && !c.isOwn(c.cert.Fullchain) {
		c.lose(weighsCertificate, location, "%s: the route answers challenges from %s, so certbot can't renew %s by this any more", textOfDirective(location), c.host.Webroot, c.cert.Fullchain)
		return
	}
	c.note(weighsCertificate, location, "%s: the route answers challenges from %s", textOfDirective(location), c.host.Webroot)
}

// shared are the directives of the file that stand in no server, so that they count for others, too.
func (c *comparison) shared() {
	for _, d := range c.tree {
		switch {
		case d.Name == "server", d.Name == "http", d.Name == "events":
		case d.Name == "upstream":
			// Nobody else uses it, see [Site.usedElsewhere].
		case d.Name == "map" && len(d.Args) == 2 && d.Args[0] == "$http_upgrade":
			// Every route has this: who else uses it is looked for with all others.
		default:
			c.lose(weighsRest, d, "%s, which counts for all sites", textOfDirective(d))
		}
	}
}

// upstreamBlock compares how the one server of a group is used.
func (c *comparison) upstreamBlock(block nginxconf.Directive) {
	for _, d := range block.Block {
		switch d.Name {
		case "server":
			for _, p := range d.Args[min(1, len(d.Args)):] {
				if name, _, _ := strings.Cut(p, "="); !slices.Contains([]string{"max_fails", "fail_timeout", "weight", "backup"}, name) {
					c.lose(weighsUpstream, d, "%s", textOfDirective(d))
				}
			}
		case "keepalive", "keepalive_timeout", "keepalive_requests", "keepalive_time", "zone", "least_conn", "ip_hash", "hash", "random":
		default:
			c.lose(weighsUpstream, d, "%s", textOfDirective(d))
		}
	}
}

// usedElsewhere refuses to take away what the rest of the configuration uses.
func (u *Site) usedElsewhere(rest []nginxconf.Directive) {
	for _, d := range u.tree {
		var word string
		switch {
		case d.Name == "upstream" && len(d.Args) == 1:
			word = d.Args[0]
		case slices.Contains([]string{"map", "geo", "split_clients"}, d.Name) && len(d.Args) > 0:
			word = d.Args[len(d.Args)-1]
		default:
			continue
		}
		walk(rest, func(other nginxconf.Directive, _ []nginxconf.Directive) {
			uses := func(a string) bool {
				if d.Name != "upstream" {
					return strings.Contains(a, word)
				}
				_, to, ok := strings.Cut(a, "://")
				return a == word || ok && (to == word || strings.HasPrefix(to, word+"/"))
			}
			if (d.Name != "upstream" || strings.HasSuffix(other.Name, "_pass")) && spotOf(other) != spotOf(d) && slices.ContainsFunc(other.Args, uses) {
				u.refuse(weighsShape, d, "%s is used by %s:%d, too", textOfDirective(d), other.File, other.Line)
			}
		})
	}
}

// quantity reads a size or a time as nginx writes it, in bytes or milliseconds.
func quantity(directive, text string) (int64, bool) {
	units := map[string]int64{"": 1000, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
	if strings.Contains(directive, "size") || strings.Contains(directive, "buffers") {
		units = map[string]int64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
	}
	digits := strings.TrimRight(strings.ToLower(text), "mskghdw")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, ok := units[strings.ToLower(text)[len(digits):]]
	return n * unit, err == nil && ok
}

// amount multiplies the quantities of a directive: "8 16k" are 128k.
func amount(d nginxconf.Directive) (int64, bool) {
	total := int64(1)
	for _, a := range d.Args {
		n, ok := quantity(d.Name, a)
		if !ok {
			return 0, false
		}
		total *= n
		if strings.HasSuffix(d.Name, "timeout") {
			break // the second is only told to clients
		}
	}
	return total, len(d.Args) > 0
}

// instead is what a reason says of a directive and what the route has instead.
func instead(d nginxconf.Directive, route []nginxconf.Directive) string {
	if len(route) == 0 {
		return textOfDirective(d)
	}
	texts := make([]string, len(route))
	for i, r := range route {
		texts[i] = textOfDirective(r)
	}
	return fmt.Sprintf("%s; the route has %s", textOfDirective(d), strings.Join(texts, ", "))
}
