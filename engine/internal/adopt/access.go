package adopt

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// access refuses to open what the site closes, wherever the file says so. What is inherited from the http block is
// inherited by the route, too.
func (u *Site) access() {
	walk(u.tree, func(d nginxconf.Directive, within []nginxconf.Directive) {
		if slices.ContainsFunc(within, challenge) || u.known[spotOf(d)] || slices.ContainsFunc(within, func(w nginxconf.Directive) bool { return u.known[spotOf(w)] }) {
			return
		}
		switch {
		case (closes(d) || u.whoMay(d)) && !u.inherits(d, within):
			u.refuse(weighsAccess, d, "%s: the route would be open to all", textOfDirective(d))
		case opens(d) && slices.ContainsFunc(u.http, closes):
			u.lose(weighsRest, d, "%s: the route inherits what is closed for all sites", textOfDirective(d))
		case d.Name == "return":
			u.answer(d, within)
		case d.Name == "rewrite":
			u.rewrite(d)
		}
	})
}

// accessDirectives close something by being there; the prefixes are those of modules and scripts that do.
var (
	accessDirectives = []string{"deny", "internal", "satisfy", "secure_link", "secure_link_secret", "modsecurity", "SecRulesEnabled"}
	accessPrefixes   = []string{"auth_jwt", "auth_pam", "auth_ldap", "auth_digest", "auth_gss", "access_by_", "oidc_", "perl_auth"}
	// switches close unless they are off.
	switches = []string{"auth_basic", "auth_request", "ssl_verify_client", "ssl_reject_handshake", "modsecurity"}
)

func closes(d nginxconf.Directive) bool {
	if slices.Contains(switches, d.Name) {
		return !slices.Equal(d.Args, []string{"off"})
	}
	return slices.Contains(accessDirectives, d.Name) ||
		slices.ContainsFunc(accessPrefixes, func(p string) bool { return strings.HasPrefix(d.Name, p) }) && !slices.Equal(d.Args, []string{"off"})
}

func opens(d nginxconf.Directive) bool {
	return d.Name == "allow" || slices.Contains(switches, d.Name) && !closes(d)
}

// whoMay reports whether a directive says who may pass what is closed for all sites.
func (u *Site) whoMay(d nginxconf.Directive) bool {
	by := map[string]string{"auth_basic_user_file": "auth_basic", "ssl_client_certificate": "ssl_verify_client", "ssl_crl": "ssl_verify_client"}[d.Name]
	return by != "" && len(scope{u.http}.of(by)) > 0
}

// inherits reports whether the http block says the same, so that the route has it, too. Of addresses the whole list counts.
func (u *Site) inherits(d nginxconf.Directive, within []nginxconf.Directive) bool {
	if len(within) > 0 && d.Name == "deny" {
		names := []string{"allow", "deny"}
		return sameTexts(scope{u.http}.of(names...), scope{within[len(within)-1].Block}.of(names...))
	}
	return sameTexts(scope{u.http}.of(d.Name), []nginxconf.Directive{d})
}

// answer judges a fixed answer: one that is an error closes a place, and a redirect would be lost.
func (u *Site) answer(d nginxconf.Directive, within []nginxconf.Directive) {
	if len(within) == 0 || u.isRedirection(d) {
		return
	}
	inServer := len(within) == 1
	code, err := strconv.Atoi(strings.Join(d.Args[:min(1, len(d.Args))], ""))
	switch _, to := redirect(d); {
	case to != "" && !(inServer && !u.isOfSite(within[0])):
		u.refuse(weighsRedirect, d, "%s: the route would not redirect", textOfDirective(d))
	case to != "" && slices.ContainsFunc(u.sides, func(s *side) bool { return spotOf(s.server) == spotOf(within[0]) && len(s.site.ServerNames) > 0 }):
		u.refuse(weighsRedirect, d, "%s: the redirect would be lost", textOfDirective(d))
	case inServer:
		// The server answers nothing else: it is another one of the file, or what certbot leaves behind its redirect.
	case err == nil && code >= 400:
		u.refuse(weighsAccess, d, "%s in %s: the route would be open there", textOfDirective(d), textOfDirective(within[len(within)-1]))
	}
}

// isRedirection reports whether a directive is what leads a side to HTTPS.
func (u *Site) isRedirection(d nginxconf.Directive) bool {
	return slices.ContainsFunc(u.sides, func(s *side) bool { return s.does == redirects && spotOf(s.by) == spotOf(d) })
}

// isOfSite reports whether the site is served by a server.
func (u *Site) isOfSite(server nginxconf.Directive) bool {
	return slices.ContainsFunc(u.sides, func(s *side) bool { return u.isSite(s) && spotOf(s.server) == spotOf(server) })
}

func (u *Site) rewrite(d nginxconf.Directive) {
	if len(d.Args) == 0 || u.isRedirection(d) {
		return
	}
	flag := d.Args[len(d.Args)-1]
	if flag == "permanent" || flag == "redirect" || len(d.Args) > 1 && strings.Contains(d.Args[1], "://") {
		u.refuse(weighsRedirect, d, "%s: the route would not redirect", textOfDirective(d))
		return
	}
	u.lose(weighsUpstream, d, "%s: the route passes on the path that was asked for", textOfDirective(d))
}
