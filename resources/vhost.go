package resources

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// Render returns the whole text of the route's file, its header included.
//
// With a certificate the route is served over HTTPS, and HTTP redirects to it. Without one (cert is nil), and for a route
// that does not want HTTPS, it is served over plain HTTP, which is also how a route waits for its first certificate: the
// ACME challenge is answered in every case.
func (r Route) Render(s Settings, cert *CertificateFiles) ([]byte, error) {
	if r.IsZero() {
		return nil, errors.New("render: no route")
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if !r.EnableSSL() {
		cert = nil
	}
	if cert != nil {
		if err := cert.check(); err != nil {
			return nil, err
		}
	}
	v := vhost{route: r, to: r.upstream(), host: s, cert: cert}
	v.Grow(4 << 10) // most texts have this size
	if err := v.write(); err != nil {
		return nil, err
	}
	return seal(RouteKind, r.json, cert, &v.Writer)
}

// A vhost writes the configuration of one route.
type vhost struct {
	nginxconf.Writer
	route Route
	to    Upstream
	host  Settings
	cert  *CertificateFiles
}

func (v *vhost) write() error {
	if v.to.ByName() && len(v.host.Resolvers) == 0 {
		return fieldError("upstream_host", v.to.Host, "must be an address or localhost: the host has no DNS server that nginx could ask")
	}
	if !v.to.ByName() {
		v.upstream()
		v.Blank()
	}
	if v.cert == nil {
		v.Block("server", nil, v.plainServer)
		return nil
	}
	v.Block("server", nil, v.redirectServer)
	v.Blank()
	v.Block("server", nil, v.tlsServer)
	return nil
}

func (v *vhost) plainServer() {
	v.listen(v.host.HTTPPort)
	v.names()
	v.limits()
	v.challenge()
	v.proxy()
}

func (v *vhost) redirectServer() {
	v.listen(v.host.HTTPPort)
	v.names()
	v.Directive("client_header_timeout", "15s")
	v.spareConnections()
	v.challenge()
	v.Block("location", []string{"/"}, func() { v.Expand("return", "301", v.httpsURL()) })
}

func (v *vhost) tlsServer() {
	v.listen(v.host.HTTPSPort, v.host.tlsListen()...)
	v.names()
	v.host.writeTLS(&v.Writer)
	v.Directive("ssl_certificate", v.cert.Fullchain)
	v.Directive("ssl_certificate_key", v.cert.PrivateKey)
	if v.route.HSTS() {
		// Without includeSubDomains: the route owns this name, not those below it. No location may have an add_header of
		// its own, or this one would not be inherited.
		v.Directive("add_header", "Strict-Transport-Security", "max-age=63072000", "always")
	}
	v.limits()
	v.challenge()
	v.proxy()
}

// httpsURL is where HTTP is redirected to. $request_uri is the request's path and query as they were sent; $uri would be
// decoded, and an encoded line break in it would end the header. A route of one domain names it: $host is the client's
// word wherever this server is the default one.
func (v *vhost) httpsURL() nginxconf.Expr {
	port := ""
	if v.host.HTTPSPort != 443 {
		port = ":" + strconv.Itoa(v.host.HTTPSPort)
	}
	rest := nginxconf.Join(port, "$request_uri")
	if len(v.route.f().Aliases) > 0 {
		return "https://$host" + rest
	}
	return nginxconf.Join("https://"+v.route.Domain(), rest)
}

func (v *vhost) listen(port int, params ...string) {
	for _, socket := range v.host.Sockets(port) {
		v.Directive("listen", append([]string{socket}, params...)...)
	}
}

// longestHashed is the longest name that fits into nginx's hash of server names as it is set up by default on a CPU with
// cache lines of 64 bytes. One name more than that, and the test of the whole configuration fails as soon as two servers
// share a port.
const longestHashed = 46

// names writes the route's domains. Long ones are written as regular expressions, which are not hashed: the hash can be
// enlarged in the http block only, where a second directive of the kind is fatal, so that is the administrator's to do.
func (v *vhost) names() {
	var short, long []string
	for _, d := range v.route.Domains() {
		if len(d) <= longestHashed {
			short = append(short, d)
		} else {
			long = append(long, d)
		}
	}
	if len(short) > 0 {
		v.Directive("server_name", short...)
	}
	if len(long) > 0 {
		v.Exact("server_name", long...)
	}
	v.Directive("server_tokens", "off")
}

// limits bounds what a slow or greedy client can hold on to.
func (v *vhost) limits() {
	v.fields(false)
	v.Directive("client_header_timeout", "15s")
	v.Directive("client_body_timeout", "30s")
	v.Directive("send_timeout", "30s")
	v.Directive("keepalive_timeout", "65s")
	v.spareConnections()
	v.Directive("large_client_header_buffers", "4", "16k")
	v.Directive("reset_timedout_connection", "on")
}

// fields writes the directives that fields stand for: those of package proxy in its location, the others in the server.
func (v *vhost) fields(proxy bool) {
	for directive, argument := range routeTable.Directives(v.route.fields) {
		if strings.HasPrefix(directive, "proxy_") == proxy {
			v.Directive(directive, argument)
		}
	}
}

// spareConnections makes reloads lose no request. At a reload nginx closes the connections that are waiting for their next
// request, and one that is on its way then gets no answer; clients of HTTP/1.1 have to send it again (RFC 9112, 9.3.1), and
// not all do. With this, a connection that has been waiting for less than a second gets one more answer, with "Connection:
// close".
func (v *vhost) spareConnections() {
	if v.host.sparesConnections() {
		v.Directive("keepalive_min_timeout", "1s")
	}
}

// challenge answers an ACME CA. It comes before everything else a server does, in the HTTPS server too: a CA follows
// redirects. "^~" keeps regular expressions from going first, and root (not alias) and the refusal of symbolic links keep
// a request inside the webroot.
func (v *vhost) challenge() {
	v.Block("location", []string{"^~", "/.well-known/acme-challenge/"}, func() {
		v.Directive("root", v.host.Webroot)
		v.Directive("default_type", "text/plain")
		v.Expand("try_files", "$uri", "=404")
		v.Expand("disable_symlinks", "on", "from=$document_root")
		v.letEverybodyIn()
	})
}

// letEverybodyIn takes back what the http block says of access: a CA has no password and comes from anywhere. Only what it says
// is named, since nginx may lack the module of the rest.
func (v *vhost) letEverybodyIn() {
	for _, rule := range accessRules {
		if slices.Contains(v.host.HostAccess, rule.name) {
			v.Directive(rule.name, rule.off)
		}
	}
}
