package resources

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// An Upstream is where requests go: one address and the protocol that is spoken there.
type Upstream struct {
	// Scheme is "http" or "https".
	Scheme string
	// Host is a DNS name, "localhost" or an IP address, an IPv6 address without brackets.
	Host string
	// Port is from 1 to 65535.
	Port int
}

// localhost is whatever listens on a loopback address, by IPv4 or IPv6.
const localhost = "localhost"

// Addr returns the upstream's IP address; it is not valid for one that has a name.
func (u Upstream) Addr() netip.Addr {
	if !isAddress(u.Host) {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(u.Host)
	return addr
}

// ByName reports whether DNS has to be asked for the upstream.
func (u Upstream) ByName() bool { return u.Host != localhost && !isAddress(u.Host) }

// ServerName is the name that an upstream with scheme https is asked for by (SNI): empty for one that has an address.
func (u Upstream) ServerName() string {
	if u.Addr().IsValid() {
		return ""
	}
	return u.Host
}

// HostPort returns host and port as in a URL: "localhost:8001", "[2001:db8::1]:443".
func (u Upstream) HostPort() string { return net.JoinHostPort(u.Host, strconv.Itoa(u.Port)) }

// URL returns the upstream as a URL without a path: "http://localhost:8001".
func (u Upstream) URL() string { return u.Scheme + "://" + u.HostPort() }

// HealthURL returns what is asked for to learn whether the upstream is well. The path begins with a slash and may have a
// query.
func (u Upstream) HealthURL(path string) string { return u.URL() + path }

// Upstreams are where the requests of one route go.
type Upstreams []Upstream

// String returns the URLs, with a space between two: "" if there are none.
func (us Upstreams) String() string {
	urls := make([]string, len(us))
	for i, u := range us {
		urls[i] = u.URL()
	}
	return strings.Join(urls, " ")
}
