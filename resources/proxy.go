package resources

import (
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// group names the route's upstream block. Names of upstreams are global in nginx and may hold every character that names
// of droplets may, so the two correspond one to one.
//
// Four digits of a checksum come first because nginx compares each upstream's name with all others, from the left: names
// that differ at once make the test of 5,000 routes take a third less time than names that begin alike.
func (v *vhost) group() string {
	return fmt.Sprintf("%04x_fpai_%s", crc32.ChecksumIEEE([]byte(v.route.Name()))>>16, v.route.Name())
}

func (v *vhost) upstream() {
	v.Block("upstream", []string{v.group()}, func() {
		if v.to.Host == localhost {
			v.localServers()
		} else {
			v.Directive("server", v.to.HostPort())
		}
		// 32 idle connections a worker, as nginx does by itself from 1.29.7. Without any, a request costs three times as much.
		v.Directive("keepalive", "32")
	})
}

// localServers lists both loopback addresses, since an application on localhost may listen on either. max_fails=0, or nginx would leave out an address for ten seconds after an
// application's restart, and answer 502 for both.
func (v *vhost) localServers() {
	params := []string{"max_fails=0"}
	for _, addr := range v.host.Loopbacks() {
		v.Directive("server", append([]string{netip.AddrPortFrom(addr, uint16(v.to.Port)).String()}, params...)...)
		params = []string{"max_fails=0", "backup"}
	}
}

// proxy passes everything else on to the upstream, without a URI in proxy_pass: the path arrives as it was sent.
func (v *vhost) proxy() {
	v.realIP()
	v.Block("location", []string{"/"}, func() {
		v.pass()
		v.Directive("proxy_http_version", "1.1")
		v.headers()
		v.buffers()
		v.fields(true)
	})
}

// pass says where requests go. nginx would ask the system for an upstream's name once, at its start, and not start at all
// if the answer is no: one name would take down every site. So names go through a variable, which nginx resolves while it
// serves. What has an address keeps its connections open in an upstream block.
func (v *vhost) pass() {
	if v.to.ByName() {
		v.resolve()
		v.Expand("proxy_pass", "$fpai_upstream")
	} else {
		v.Directive("proxy_pass", v.to.Scheme+"://"+v.group())
		// Not the default "error timeout": the request of a slow answer must not be sent to the other address again.
		v.Directive("proxy_next_upstream", "error")
	}
	if v.to.Scheme == "https" {
		v.upstreamTLS()
	}
}

// resolve asks DNS for the upstream, every 30 seconds whatever its TTL. The variable has one name in all routes: each
// server sets it for its own requests, and every further name would cost every request of the host memory.
func (v *vhost) resolve() {
	servers := make([]string, 0, len(v.host.Resolvers)+2)
	for _, a := range v.host.Resolvers {
		servers = append(servers, a.String())
	}
	ipv6 := "ipv6=off"
	if v.host.IPv6 {
		ipv6 = "ipv6=on"
	}
	v.Directive("resolver", append(servers, "valid=30s", ipv6)...)
	v.Directive("resolver_timeout", "5s")
	v.Expand("set", "$fpai_upstream", nginxconf.Join(v.to.URL(), ""))
}

// UpstreamVerifyDepth is how many certificates may stand between an upstream's own and its root.
const UpstreamVerifyDepth = 3

// upstreamTLS speaks TLS to the upstream, by its own name. An upstream with a DNS name is verified where the host has a
// CA file for that. Sessions are reused, as is nginx's default.
func (v *vhost) upstreamTLS() {
	v.Directive("proxy_ssl_protocols", "TLSv1.2", "TLSv1.3")
	v.Directive("proxy_ssl_name", v.to.Host)
	if v.to.ServerName() != "" {
		v.Directive("proxy_ssl_server_name", "on")
	}
	if v.host.Verifies(v.to) {
		v.Directive("proxy_ssl_trusted_certificate", v.host.UpstreamCAFile)
		v.Directive("proxy_ssl_verify", "on")
		v.Directive("proxy_ssl_verify_depth", strconv.Itoa(UpstreamVerifyDepth))
	}
}

// realIP takes the client's address from trusted proxies: the last address in X-Forwarded-For that is not one of theirs.
func (v *vhost) realIP() {
	if len(v.host.TrustedProxies) == 0 {
		return
	}
	for _, p := range v.host.TrustedProxies {
		v.Directive("set_real_ip_from", p.String())
	}
	v.Directive("real_ip_header", "X-Forwarded-For")
	v.Directive("real_ip_recursive", "on")
}

// requestHeaders are what the upstream is told about the request. nginx's own values replace the client's; they stand on
// one level with nothing inherited, because nginx inherits either all proxy_set_header or none.
var requestHeaders = [...]struct {
	name  string
	value nginxconf.Expr
}{
	{"Host", "$host"},
	{"X-Real-IP", "$remote_addr"},
	{"X-Forwarded-For", "$remote_addr"},
	{"X-Forwarded-Host", "$host"},
	{"X-Forwarded-Port", "$server_port"},
	{"X-Forwarded-Proto", "$scheme"},
	// By the maps that all routes share: only a WebSocket may upgrade (h2c would smuggle requests past nginx), and for
	// everything else Connection is empty, which keeps the connection to the upstream open.
	{"Upgrade", "$fpai_upgrade"},
	{"Connection", "$fpai_connection"},
}

// clearedHeaders are removed from every request: applications believe them, and anybody can send them.
var clearedHeaders = [...]string{
	"Forwarded", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Ssl",
	"X-Client-IP", "True-Client-IP", "X-Original-URL", "X-Rewrite-URL",
	"Proxy", // becomes HTTP_PROXY in a CGI environment (httpoxy, CVE-2016-5385 and others)
}

func (v *vhost) headers() {
	for _, h := range requestHeaders {
		v.Expand("proxy_set_header", nginxconf.Expr(h.name), h.value)
	}
	for _, name := range clearedHeaders {
		v.Directive("proxy_set_header", name, "")
	}
	// An upstream may not steer nginx itself. X-Accel-Buffering stays: server-sent events need it.
	v.Directive("proxy_ignore_headers", "X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Charset")
	if v.route.HSTS() && v.cert != nil {
		v.Directive("proxy_hide_header", "Strict-Transport-Security") // or the browser would see two
	}
	v.Directive("proxy_redirect", "off") // the upstream knows its public name by Host
}

// buffers make room for the headers of an answer: in nginx's 4 KB a few large cookies end as 502. All four belong
// together, since nginx refuses to start where a limit of the http block is below a buffer of this one.
func (v *vhost) buffers() {
	const kb = 16
	size := strconv.Itoa(kb) + "k"
	twice := strconv.Itoa(2*kb) + "k"
	v.Directive("proxy_buffer_size", size)
	v.Directive("proxy_buffers", "8", size)
	v.Directive("proxy_busy_buffers_size", twice)
	v.Directive("proxy_temp_file_write_size", twice)
}
