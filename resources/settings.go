package resources

import (
	"net/netip"

	"github.com/hashicorp/go-version"
)

// Settings are what the rendering depends on beside the route: the host and its nginx.
type Settings struct {
	// HTTPPort and HTTPSPort are what generated servers listen on; 0 stands for 80 and 443.
	HTTPPort, HTTPSPort int
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
}

// CertificateFiles are the paths of a certificate, its chain included, and of its key.
type CertificateFiles struct {
	Fullchain, PrivateKey string
}
