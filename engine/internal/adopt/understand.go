package adopt

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Site is what is made out of the file of one: what each of its servers does, and the route that does the same.
type Site struct {
	*reasons
	host resources.Settings
	tree []nginxconf.Directive // the site with all that it includes
	http []nginxconf.Directive // what it inherits and its route will, too

	sides     []*side
	upstreams map[string]nginxconf.Directive // of the whole configuration, by name
	to        target                         // of the route
	groups    []nginxconf.Directive          // the upstreams in use
	known     map[spot]bool                  // conditions and answers that are a part of what a side does
	pending   bool                           // see [File]
}

// A side is what one server of the site does on its plain sockets, or on its TLS sockets.
type side struct {
	server nginxconf.Directive
	site   resources.Site
	tls    bool

	does   deed
	by     nginxconf.Directive // what passes requests on, or redirects them
	target target
	passed []nginxconf.Directive // the locations that are passed on, "/" among them
}

type deed int

const (
	answers deed = iota
	passes
	redirects // to HTTPS
)

// A target is where requests are passed on to.
type target struct {
	scheme, host string
	port         int
}

func (t target) String() string {
	return resources.Upstream{Scheme: t.scheme, Host: t.host, Port: t.port}.URL()
}

// A spot is where a directive stands.
type spot struct {
	file string
	line int
	name string
}

func spotOf(d nginxconf.Directive) spot { return spot{d.File, d.Line, d.Name} }

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

// read finds out what each server does, and where the site's requests go.
func (u *Site) read() {
	u.known = map[spot]bool{}
	for _, d := range u.tree {
		switch {
		case d.Name == "server" && d.Block != nil:
			site := resources.Sites([]nginxconf.Directive{d})[0]
			for _, tls := range []bool{false, true} {
				if slices.ContainsFunc(site.Listens, func(l resources.Listen) bool { return l.SSL == tls }) {
					u.sides = append(u.sides, &side{server: d, site: site, tls: tls})
				}
			}
		case d.Name == "http" || d.Name == "events":
			u.refuse(weighsShape, d, "the file has a block %s: it is nginx's configuration, and no site", d.Name)
		}
	}
	for _, s := range u.sides {
		u.look(s)
	}
	u.choose()
}

// look finds out what a side does.
func (u *Site) look(s *side) {
	if by, ok := u.redirection(s.server.Block, s); ok {
		s.does, s.by = redirects, by
		return
	}
	for _, d := range s.server.Block {
		if d.Name == "return" {
			return // comes before all locations
		}
	}
	for _, d := range s.server.Block {
		if d.Name != "location" || !isRoot(d) {
			continue
		}
		if by, ok := u.redirection(d.Block, s); ok {
			s.does, s.by = redirects, by
			return
		}
		for _, p := range d.Block {
			if p.Name == "proxy_pass" && len(p.Args) == 1 {
				s.does, s.by = passes, p
				s.passed = append(s.passed, d)
				s.target = u.follow(s, d, p)
			}
		}
	}
}

func isRoot(location nginxconf.Directive) bool {
	return slices.Equal(location.Args, []string{"/"}) || slices.Equal(location.Args, []string{"^~", "/"})
}

// follow returns where a proxy_pass leads.
func (u *Site) follow(s *side, location, pass nginxconf.Directive) target {
	constants := scope{s.server.Block, location.Block}.constants()
	to := expand(pass.Args[0], constants)
	byVariable := strings.Contains(pass.Args[0], "$")
	if byVariable {
		to = strings.TrimSuffix(to, "$request_uri")
	}
	t, problem := u.upstream(to)
	if byVariable && strings.HasSuffix(to, "/") && problem == "" {
		problem = "proxy_pass to " + to + " makes every path the same"
	}
	if problem != "" {
		u.refuse(weighsShape, pass, "%s", problem)
	}
	return t
}

// redirection returns what sends everybody who asks a block to HTTPS.
func (u *Site) redirection(block []nginxconf.Directive, s *side) (by nginxconf.Directive, ok bool) {
	hosts := map[string]bool{} // that are redirected by conditions of their own, as certbot writes them
	var conditions []nginxconf.Directive
	for _, d := range block {
		switch {
		case toHTTPS(d):
			u.known[spotOf(d)] = true
			return d, true
		case d.Name == "if" && isPlain(d) && s.tls:
			u.known[spotOf(d)] = true // is never true here
		case d.Name == "if" && len(d.Block) == 1 && toHTTPS(d.Block[0]) && isPlain(d):
			u.known[spotOf(d)] = true
			return d.Block[0], true
		case d.Name == "if" && len(d.Block) == 1 && toHTTPS(d.Block[0]):
			if host, ok := strings.CutPrefix(condition(d), "$host = "); ok {
				hosts[host] = true
				by = d.Block[0]
				conditions = append(conditions, d)
			}
		}
	}
	if by.Name == "" || s.tls || slices.ContainsFunc(s.site.ServerNames, func(name string) bool { return !hosts[name] }) {
		return nginxconf.Directive{}, false
	}
	for _, d := range conditions {
		u.known[spotOf(d)] = true
	}
	return by, true
}

// condition returns the condition of an if without its brackets.
func condition(d nginxconf.Directive) string {
	text := strings.Join(d.Args, " ")
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"))
}

// isPlain reports whether an if asks for requests over plain HTTP.
func isPlain(d nginxconf.Directive) bool {
	return slices.Contains([]string{"$scheme = http", "$scheme != https", "$https =", "$https = ", "$https != on", "$server_port = 80"}, condition(d))
}

// toHTTPS reports whether a directive sends everybody to the same path over HTTPS, or to another.
func toHTTPS(d nginxconf.Directive) bool {
	_, to := redirect(d)
	return strings.HasPrefix(to, "https://")
}

// redirect returns the status and the target of a redirect; "" for what is none, or not one of all requests.
func redirect(d nginxconf.Directive) (status, to string) {
	switch {
	case d.Name == "return" && len(d.Args) == 1:
		if _, err := strconv.Atoi(d.Args[0]); err != nil {
			return "302", d.Args[0]
		}
	case d.Name == "return" && len(d.Args) == 2 && strings.HasPrefix(d.Args[0], "30"):
		return d.Args[0], d.Args[1]
	case d.Name == "rewrite" && len(d.Args) == 3 && slices.Contains([]string{"^", "^(.*)$", "^(.*)", "(.*)", "^/(.*)$", "^/(.*)"}, d.Args[0]):
		status = map[string]string{"permanent": "301", "redirect": "302"}[d.Args[2]]
		to = strings.TrimSuffix(d.Args[1], "?")
		path := "$1"
		if strings.HasPrefix(d.Args[0], "^/") {
			path = "/$1"
		}
		if rest, ok := strings.CutSuffix(to, path); ok {
			to = rest + "$request_uri"
		}
		return status, to
	}
	return "", ""
}

func challenge(d nginxconf.Directive) bool {
	return d.Name == "location" && strings.Contains(strings.Join(d.Args, " "), "/.well-known/acme-challenge")
}

// choose makes the first server that passes requests on, with all that pass on to the same, the site.
func (u *Site) choose() {
	i := slices.IndexFunc(u.sides, func(s *side) bool { return s.does == passes })
	if i < 0 {
		u.nothingPassed()
		return
	}
	u.to = u.sides[i].target
	for _, s := range u.sides {
		switch {
		case s.does == passes && s.target == u.to:
			u.otherLocations(s)
		case s.does == passes && u.sharesName(s):
			u.refuse(weighsShape, s.by, "it passes on to %s as well as to %s, and a route has one upstream", s.target, u.to)
		}
	}
}

func (u *Site) nothingPassed() {
	before := len(u.list)
	walk(u.tree, func(d nginxconf.Directive, within []nginxconf.Directive) {
		switch {
		case isForeignPass(d):
			u.refuse(weighsShape, d, "%s is not HTTP", d.Name)
		case d.Name == "return" && len(within) == 1:
			u.refuse(weighsShape, d, "%s: it answers so, whatever is asked for", textOfDirective(d))
		case d.Name == "proxy_pass" && len(within) > 0 && !isRoot(within[len(within)-1]):
			w := within[len(within)-1]
			u.refuse(weighsShape, w, "%s is passed on by itself, and a route has one location, /", textOfDirective(w))
		}
	})
	if len(u.list) == before {
		u.refuse(weighsShape, u.firstDirective(), "it passes nothing on: there is no proxy_pass")
	}
}

func (u *Site) firstDirective() nginxconf.Directive {
	if len(u.sides) > 0 {
		return u.sides[0].server
	}
	return nginxconf.Directive{File: u.file, Line: 1}
}

func isForeignPass(d nginxconf.Directive) bool {
	return slices.Contains([]string{"fastcgi_pass", "uwsgi_pass", "grpc_pass", "scgi_pass", "memcached_pass"}, d.Name)
}

// sharesName reports whether a side has a name of the site.
func (u *Site) sharesName(s *side) bool {
	for _, other := range u.sides {
		if other == s || !u.isSite(other) {
			continue
		}
		if slices.ContainsFunc(s.site.ServerNames, func(name string) bool { return slices.Contains(other.site.ServerNames, name) }) {
			return true
		}
	}
	return false
}

// isSite reports whether a side passes requests on to where the route will.
func (u *Site) isSite(s *side) bool { return s.does == passes && s.target == u.to }

// otherLocations adds the locations that are passed on to the same upstream, and refuses those that go elsewhere.
func (u *Site) otherLocations(s *side) {
	walk(s.server.Block, func(d nginxconf.Directive, within []nginxconf.Directive) {
		if slices.ContainsFunc(within, challenge) || len(within) == 0 {
			return
		}
		in := within[len(within)-1]
		switch {
		case isForeignPass(d):
			u.refuse(weighsShape, d, "%s is not HTTP", d.Name)
		case d.Name != "proxy_pass" || len(d.Args) != 1 || isRoot(in) && len(within) == 1:
		case in.Name != "location" || len(within) > 1:
			u.refuse(weighsShape, d, "what is passed on depends on a condition, or on a location in another one")
		case strings.HasPrefix(strings.Join(in.Args, " "), "@") || u.follow(s, in, d) != u.to:
			u.refuse(weighsShape, in, "%s is passed on by itself, and a route has one location, /", textOfDirective(in))
		default:
			s.passed = append(s.passed, in)
		}
	})
}

// isHTTPS reports whether the site is served over HTTPS.
func (u *Site) isHTTPS() bool {
	return slices.ContainsFunc(u.sides, func(s *side) bool { return u.isSite(s) && s.tls })
}

// main is the side whose limits become the route's: the first that passes on, over HTTPS if one does.
func (u *Site) main() *side {
	https := u.isHTTPS()
	for _, s := range u.sides {
		if u.isSite(s) && s.tls == https {
			return s
		}
	}
	return nil
}

// of returns what counts in a location of a side, as it is.
func (u *Site) of(s *side, location nginxconf.Directive) scope {
	level := slices.Clone(u.http)
	for _, d := range u.tree {
		if d.Block == nil {
			level = append(level, d)
		}
	}
	return scope{level, s.server.Block, location.Block}
}

func textOfDirective(d nginxconf.Directive) string {
	text := strings.Join(append([]string{d.Name}, d.Args...), " ")
	if d.Block != nil {
		text += " { … }"
	}
	return text
}

// port is the one that routes are served on.
func (u *Site) port(tls bool) int {
	if tls {
		return cmp.Or(u.host.HTTPSPort, 443)
	}
	return cmp.Or(u.host.HTTPPort, 80)
}
