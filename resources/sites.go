package resources

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Site is a server of the host's nginx, managed or not.
type Site struct {
	// ServerNames are the names as nginx sees them: in lower case, unless they are regular expressions ("~…"). A server
	// without a name has none.
	ServerNames []string
	// Listens are the sockets; a server without a listen directive has port 80.
	Listens []Listen
	// File and Line are where the server's block begins.
	File string
	Line int
}

// A Listen is one socket of a site.
type Listen struct {
	// Address is an IP address without brackets, a host name, or "unix:/path". It is empty for all IPv4 addresses and
	// "::" for all IPv6 addresses.
	Address string
	// Port is 0 for a unix socket.
	Port int
	// Default says that the site is the socket's default server by its own word.
	Default bool
	// SSL says that the socket speaks TLS, or QUIC.
	SSL bool
}

// Serves reports whether the site has this very name, which is in lower case. A wildcard or a regular expression that
// happens to match is no claim: nginx prefers the exact name, and so does whoever writes "*.example.com".
func (s Site) Serves(domain string) bool {
	for _, name := range s.ServerNames {
		// ".example.com" is short for "example.com *.example.com".
		if name == domain || strings.HasPrefix(name, ".") && name[1:] == domain {
			return true
		}
	}
	return false
}

// Sites returns the HTTP servers in a configuration: a whole one, or a file that is included in the http block. It follows
// no include.
func Sites(ds []nginxconf.Directive) []Site {
	var sites []Site
	for _, d := range ds {
		switch d.Name {
		case "http":
			sites = append(sites, Sites(d.Block)...)
		case "server":
			if d.Block != nil {
				sites = append(sites, newSite(d))
			}
		}
	}
	return sites
}

// accessRules are the directives that every server inherits from the http block and that may refuse a request, and what lets
// everybody in where a location says it.
var accessRules = []struct {
	name string
	off  string // the directive's argument
	by   []string
}{
	{"allow", "all", []string{"allow", "deny"}},
	{"auth_basic", "off", []string{"auth_basic"}},
	{"auth_request", "off", []string{"auth_request"}},
}

// AccessRules returns which kinds of access rules the http block of a configuration has for all servers: "allow" (that is, allow
// or deny), "auth_basic" and "auth_request", in this order.
func AccessRules(ds []nginxconf.Directive) []string {
	has := map[string]bool{}
	for _, d := range ds {
		if d.Name == "http" {
			for _, rule := range d.Block {
				has[rule.Name] = true
			}
		}
	}
	var rules []string
	for _, rule := range accessRules {
		if slices.ContainsFunc(rule.by, func(name string) bool { return has[name] }) {
			rules = append(rules, rule.name)
		}
	}
	return rules
}

func newSite(server nginxconf.Directive) Site {
	s := Site{File: server.File, Line: server.Line}
	sslOn := false
	for _, d := range server.Block {
		switch d.Name {
		case "server_name":
			s.ServerNames = append(s.ServerNames, serverNames(d.Args)...)
		case "listen":
			s.Listens = append(s.Listens, listens(d.Args)...)
		case "ssl": // "ssl on;" until nginx 1.25.1
			sslOn = slices.Equal(d.Args, []string{"on"})
		}
	}
	if len(s.Listens) == 0 {
		s.Listens = []Listen{{Port: 80}}
	}
	for i := range s.Listens {
		s.Listens[i].SSL = s.Listens[i].SSL || sslOn
	}
	return s
}

func serverNames(args []string) []string {
	var names []string
	for _, a := range args {
		if !strings.HasPrefix(a, "~") {
			a = strings.ToLower(a)
		}
		if a != "" {
			names = append(names, a)
		}
	}
	return names
}

// listens reads one listen directive: several sockets where it has a range of ports.
func listens(args []string) []Listen {
	if len(args) == 0 {
		return nil
	}
	var l Listen
	for _, a := range args[1:] {
		switch a {
		case "default_server", "default": // "default" was the word until nginx 0.8.21, and still is one
			l.Default = true
		case "ssl", "quic":
			l.SSL = true
		}
	}
	address, first, last := socket(args[0])
	l.Address = address
	var ls []Listen
	for port := first; port <= last; port++ {
		l.Port = port
		ls = append(ls, l)
	}
	return ls
}

// ParseSocket reads one of [Settings.Sockets].
func ParseSocket(text string) Listen {
	address, port, _ := socket(text)
	return Listen{Address: address, Port: port}
}

// socket reads the address of a listen directive: "80", "example.com", "*:80", "[::]:80", "127.0.0.1:8000-8010", "unix:/x".
// A port that makes no sense gives no port at all: nginx would not start with it.
func socket(s string) (address string, first, last int) {
	if strings.HasPrefix(s, "unix:") {
		return s, 0, 0
	}
	address, ports := splitPort(s)
	if address == "*" || address == "0.0.0.0" {
		address = ""
	}
	address = strings.ToLower(strings.Trim(address, "[]"))
	from, to, isRange := strings.Cut(ports, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err != nil || err2 != nil || first < 1 || last > 65535 {
		return address, 1, 0
	}
	return address, first, last
}

func splitPort(s string) (address, ports string) {
	if strings.Trim(s, "0123456789-") == "" {
		return "", s
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasSuffix(s, "]") {
		return s, "80"
	}
	return s[:colon], s[colon+1:]
}
