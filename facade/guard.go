package facade

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// public are the paths that anybody may ask for, by exact match.
var public = []string{"/health", "/proxy-manager/health"}

func isPublic(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && slices.Contains(public, r.URL.Path)
}

// guarded keeps web pages from driving the server: those of other origins, which a browser names in Origin and
// Sec-Fetch-Site, and those that have made their own name resolve to this address, which Host gives away. A GET is no
// exception: sync-from-registry changes things.
func (s *Server) guarded(next http.Handler) http.Handler {
	names := ownNames(s.opts.AllowedHosts)
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if !isPublic(r) {
			if err := checkOrigin(r, names); err != nil {
				return err
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

func checkOrigin(r *http.Request, names []authority) error {
	if !hostAllowed(r, names) {
		return refuse(codes.Forbidden, details{"header": "Host"},
			"this server is not called that: use localhost, its host name or an address it listens on, or list the name in PROXY_MANAGER_ALLOWED_HOSTS")
	}
	for _, origin := range r.Header.Values("Origin") {
		if !sameOrigin(origin, r.Host) {
			return refuse(codes.Forbidden, details{"header": "Origin"}, "web pages of other origins may not call this server")
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		// "same-site" is refused, too: to a browser every port of localhost is the same site.
		if site != "same-origin" && site != "none" {
			return refuse(codes.Forbidden, details{"header": "Sec-Fetch-Site"}, "web pages of other origins may not call this server")
		}
	}
	return nil
}

// fromBrowser reports whether a request has what only browsers send.
func fromBrowser(r *http.Request) bool {
	for name := range r.Header {
		if name == "Origin" || strings.HasPrefix(name, "Sec-Fetch-") {
			return true
		}
	}
	return false
}

// An authority is whom a request is meant for: a name or an address, and a port.
type authority struct {
	name string     // in lower case, without the root's dot; empty for an address
	addr netip.Addr // without a zone
	port string     // empty where none is given
}

// parseAuthority reads the value of Host (RFC 9110, section 7.2), and nothing that is only like it: no user, no path.
func parseAuthority(s string) (authority, bool) {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
			return authority{}, false
		}
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return authority{addr: plainAddr(addr), port: port}, closed && err == nil && addr.Is6()
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return authority{addr: addr, port: port}, addr.Is4() // IPv6 has brackets
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return authority{name: name, port: port}, name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

func plainAddr(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// ownNames are the names by which this server goes everywhere: the host's, and those that are configured.
func ownNames(configured []string) []authority {
	var names []authority
	if host, err := os.Hostname(); err == nil {
		configured = append([]string{host}, configured...)
	}
	for _, text := range configured {
		a, ok := parseAuthority(text)
		if addr, err := netip.ParseAddr(text); err == nil {
			a, ok = authority{addr: plainAddr(addr)}, true // IPv6 as it is written where no port follows
		}
		// "0.0.0.0" is what is listened on, and nobody's address; browsers have let pages reach loopback by it.
		if ok && !(a.addr.IsValid() && a.addr.IsUnspecified()) {
			names = append(names, a)
		}
	}
	return names
}

// hostAllowed reports whether a request's Host is a name of this server. Any port will do for loopback and for the address
// that was connected to: a tunnel or a container has another one at its far end, and no page of elsewhere can have that
// address for its name.
func hostAllowed(r *http.Request, names []authority) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	asked, ok := parseAuthority(r.Host)
	if local != nil && local.Network() == "unix" && isLocalName(r.Host, asked, ok) {
		return true
	}
	switch {
	case !ok:
		return false
	case asked.name == "localhost", asked.addr.IsLoopback():
		return true
	case asked.addr.IsValid() && asked.addr == addrOf(local):
		return true
	}
	return slices.ContainsFunc(names, asked.is)
}

// isLocalName reports whether no page of elsewhere can have that name, by which clients call a unix socket as they like:
// "unix", "docker", or nothing at all. What has a dot may have come through a proxy from a browser.
func isLocalName(host string, asked authority, ok bool) bool {
	return host == "" || ok && asked.name != "" && !strings.Contains(asked.name, ".")
}

func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return plainAddr(ap.Addr())
}

// is reports whether a means the same as a name of this server, which has any port unless it names one.
func (a authority) is(own authority) bool {
	if a.name != own.name || a.addr != own.addr {
		return false
	}
	return own.port == "" || own.port == a.port || a.port == "" && (own.port == "80" || own.port == "443")
}

// sameOrigin reports whether the page that a request comes from is this server's own, as the browser sees both. Which
// scheme it was is the business of whoever ends TLS in front.
func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	defaults := map[string]string{"http": "80", "https": "443"}
	if err != nil || defaults[u.Scheme] == "" || u.Host == "" || !strings.EqualFold(u.Scheme+"://"+u.Host, origin) {
		return false
	}
	from, ok := parseAuthority(u.Host)
	to, known := parseAuthority(host)
	for _, a := range []*authority{&from, &to} {
		if a.port == "" {
			a.port = defaults[u.Scheme]
		}
	}
	return ok && known && from == to
}
