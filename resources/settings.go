package resources

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// Settings are what the rendering depends on beside the route: the host and its nginx.
type Settings struct {
	// HTTPPort and HTTPSPort are what generated servers listen on; 0 stands for 80 and 443.
	HTTPPort, HTTPSPort int
	// Listen are the addresses that generated servers listen on, as nginx writes them: "*", "[::]", "203.0.113.5",
	// "[2001:db8::5]". Nil stands for all of the host, "*" and "[::]".
	Listen []string
	// IPv6 says whether the host has IPv6: without it, binding [::] would keep nginx from starting.
	IPv6 bool
	// Nginx is the version of nginx that will read the text; required.
	Nginx *version.Version
	// OpenSSL is the version nginx runs with; nil if that is unknown.
	OpenSSL *version.Version
	// Webroot is where ACME challenge files are put: Webroot/.well-known/acme-challenge/TOKEN.
	Webroot string
	// Resolvers are the DNS servers that nginx asks for upstreams with a name. nginx does not read /etc/hosts.
	Resolvers []netip.AddrPort
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// UpstreamCAFile, if set, holds the CA certificates that an upstream with scheme https and a DNS name must present.
	UpstreamCAFile string
	// HostAccess are the rules of access that nginx's http block has for all servers, see [AccessRules].
	HostAccess []string
}

// CertificateFiles are the paths of a certificate, its chain included, and of its key.
type CertificateFiles struct {
	Fullchain  string `json:"fullchain"`
	PrivateKey string `json:"private_key"`
}

// check fills in the default ports and reports settings that no configuration can be made with.
func (s *Settings) check() error {
	s.HTTPPort, s.HTTPSPort = cmp.Or(s.HTTPPort, 80), cmp.Or(s.HTTPSPort, 443)
	switch {
	case s.Nginx == nil:
		return errors.New("render: the version of nginx is not known")
	case s.HTTPPort < 1 || s.HTTPPort > 65535:
		return fmt.Errorf("render: HTTP port %d is not from 1 to 65535", s.HTTPPort)
	case s.HTTPSPort < 1 || s.HTTPSPort > 65535:
		return fmt.Errorf("render: HTTPS port %d is not from 1 to 65535", s.HTTPSPort)
	case s.HTTPPort == s.HTTPSPort:
		return fmt.Errorf("render: port %d can't serve both HTTP and HTTPS", s.HTTPPort)
	}
	if err := checkPath("webroot", s.Webroot); err != nil {
		return err
	}
	if s.UpstreamCAFile == "" {
		return nil
	}
	return checkPath("CA file of the upstreams", s.UpstreamCAFile)
}

// Sockets are what generated servers listen on at a port, as nginx writes it: "80", "[::]:80", "203.0.113.5:80". Without IPv6
// there is none for all IPv6 addresses.
func (s Settings) Sockets(port int) []string {
	listen := s.Listen
	if listen == nil {
		listen = []string{"*", "[::]"}
	}
	var sockets []string
	for _, address := range listen {
		switch {
		case address == "*":
			sockets = append(sockets, strconv.Itoa(port))
		case address != "[::]" || s.IPv6:
			sockets = append(sockets, address+":"+strconv.Itoa(port))
		}
	}
	return sockets
}

// ListensEverywhere reports whether generated servers listen on all addresses of an address's family.
func (s Settings) ListensEverywhere(address string) bool {
	all := "*"
	if strings.Contains(address, ":") {
		all = "[::]"
	}
	return s.Listen == nil || slices.Contains(s.Listen, all)
}

// ParseListen checks an address to listen on, and returns it as nginx writes it: an IPv6 address in brackets.
func ParseListen(text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	inner, bracketed := strings.CutPrefix(text, "[")
	if bracketed {
		inner, bracketed = strings.CutSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(inner)
	if err != nil || addr.Zone() != "" || addr.Is6() != bracketed || addr.Is4In6() || addr.IsMulticast() {
		return "", errors.New("*, an IPv4 address, or an IPv6 address in brackets")
	}
	switch {
	case addr == netip.IPv4Unspecified():
		return "*", nil
	case addr.Is6():
		return "[" + addr.String() + "]", nil
	default:
		return addr.String(), nil
	}
}

// Verifies reports whether nginx makes an upstream with scheme https prove its name. One with an address can't: nginx
// compares DNS names only, which certificates for an address don't have.
func (s *Settings) Verifies(u Upstream) bool {
	return u.Scheme == "https" && u.ByName() && s.UpstreamCAFile != ""
}

// Loopbacks are the addresses at which nginx looks for an upstream on localhost: the second is asked when the first refuses.
func (s *Settings) Loopbacks() []netip.Addr {
	addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	if s.IPv6 {
		addrs = append(addrs, netip.IPv6Loopback())
	}
	return addrs
}

// checkPath makes sure that nginx reads the file that is meant: a relative path would be looked up below its prefix, and
// the TLS directives give "data:" and "engine:" a meaning of their own.
func checkPath(what, p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p {
		return fmt.Errorf("render: %s %s is not an absolute, clean path", what, strictjson.Quote(p))
	}
	return nil
}

func (c *CertificateFiles) check() error {
	return errors.Join(checkPath("certificate", c.Fullchain), checkPath("private key", c.PrivateKey))
}

// http2Directive: "http2 on;" came with 1.25.1, where the parameter of listen began to draw a warning.
func (s *Settings) http2Directive() bool { return atLeast(s.Nginx, 1, 25, 1) }

// canRejectHandshake: ssl_reject_handshake came with 1.19.4.
func (s *Settings) canRejectHandshake() bool { return atLeast(s.Nginx, 1, 19, 4) }

// rotatesTicketKeys: from 1.23.2 nginx changes the keys of session tickets by itself.
func (s *Settings) rotatesTicketKeys() bool { return atLeast(s.Nginx, 1, 23, 2) }

// sparesConnections: keepalive_min_timeout came with 1.27.4.
func (s *Settings) sparesConnections() bool { return atLeast(s.Nginx, 1, 27, 4) }

// knowsMLKEM: older OpenSSL takes the name of the post-quantum group for an error, and nginx does not start.
func (s *Settings) knowsMLKEM() bool { return s.OpenSSL != nil && atLeast(s.OpenSSL, 3, 5, 0) }

func atLeast(v *version.Version, want ...int) bool {
	return slices.Compare(v.Segments(), want) >= 0
}
