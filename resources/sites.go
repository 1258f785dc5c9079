package resources

import "github.com/fullpotential-ai/proxy-manager/resources/nginxconf"

// A Site is a server of the host's nginx, managed or not.
type Site struct {
	// ServerNames are as written, in lower case unless they are regular expressions.
	ServerNames []string
	Listens     []Listen
	// File and Line are where its server block begins.
	File string
	Line int
}

// A Listen is one socket of a site.
type Listen struct {
	// Address is an IP address without brackets, a host name, "unix:/path", or "" for every IPv4 address; "::" for
	// every IPv6 address.
	Address string
	// Port is 0 for a unix socket.
	Port         int
	Default, SSL bool
}

// Sites returns the HTTP servers in a configuration.
func Sites(ds []nginxconf.Directive) []Site { panic("todo") }
