package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A survey is what was found on the host: the managed sites by name, and what else matters to them.
type survey struct {
	obs      *host.Observer
	build    *nginx.Build
	settings resources.Settings
	sites    map[string]*site // by address
	// foreign are the sites of configurations that are not managed, wherever nginx.conf includes them from.
	foreign []resources.Site
	// before is how many of them nginx has read when it comes to the managed ones.
	before int
	// configuration is all that nginx reads but for managed sites.
	configuration []nginxconf.Directive
	// claims are the domains of all sites, found when they are first asked for: once for a whole batch of changes.
	claims func() map[Claim][]claimant
	// certificates are the files that those sites name as certificates and keys, with the file that names each.
	certificates map[string]string
	paths        nginx.Paths
	warnings     []string
}

// survey looks at the whole host in one pass.
func (e *Engine) survey(ctx context.Context) (*survey, error) {
	s := &survey{obs: e.observer()}
	s.claims = sync.OnceValue(s.findClaims)
	var err error
	if s.build, err = e.build(ctx); err != nil {
		return nil, err
	}
	s.obs.Note(e.opts.Nginx.Bin, "version "+s.build.Version.String())
	if s.settings, err = e.settings(s.build); err != nil {
		return nil, err
	}
	noteSettings(s.obs, s.settings)
	if s.sites, err = e.readSites(s.obs); err != nil {
		return nil, err
	}
	if err := s.readConfiguration(e); err != nil {
		return nil, err
	}
	return s, nil
}

// settings returns what rendering depends on beside the route.
func (e *Engine) settings(b *nginx.Build) (resources.Settings, error) {
	s := e.reach()
	s.HTTPPort, s.HTTPSPort, s.Listen, s.Nginx, s.OpenSSL = e.opts.Nginx.HTTPPort, e.opts.Nginx.HTTPSPort, e.opts.Nginx.Listen, b.Version, b.OpenSSL
	s.Webroot, s.TrustedProxies = e.Webroot(), e.opts.Nginx.TrustedProxies
	return s, nil
}

// reach returns the settings by which nginx reaches upstreams.
func (e *Engine) reach() resources.Settings {
	s := resources.Settings{IPv6: hasIPv6(), Resolvers: e.opts.Nginx.Resolvers, UpstreamCAFile: e.opts.Upstreams.CAFile}
	if s.Resolvers == nil {
		s.Resolvers = systemResolvers()
	}
	if _, err := os.Stat(systemCAs); err == nil && s.UpstreamCAFile == "" {
		s.UpstreamCAFile = systemCAs
	}
	return s
}

// noteSettings has a plan depend on what its texts were made with, by the names that people know it by: so a saved plan says
// which of them has changed, and not that somebody has edited it.
func noteSettings(o *host.Observer, s resources.Settings) {
	for name, value := range map[string]any{
		"the resolvers": s.Resolvers, "the trusted proxies": s.TrustedProxies, "the CA file of the upstreams": s.UpstreamCAFile,
		"the sockets for HTTP": s.Sockets(s.HTTPPort), "the sockets for HTTPS": s.Sockets(s.HTTPSPort),
	} {
		o.Note(name, fmt.Sprint(value))
	}
}

// systemCAs is where Debian's ca-certificates package collects the certificate authorities of the host.
const systemCAs = "/etc/ssl/certs/ca-certificates.crt"

// hasIPv6 reports whether the kernel has IPv6 at all: where it has not, listening on [::] keeps nginx from starting.
func hasIPv6() bool {
	b, err := os.ReadFile("/proc/net/if_inet6")
	return err == nil && len(bytes.TrimSpace(b)) > 0
}

// systemResolvers returns the name servers of resolv.conf(5). nginx resolves names at run time by these alone.
func systemResolvers() []netip.AddrPort {
	b, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	var servers []netip.AddrPort
	for scan := bufio.NewScanner(bytes.NewReader(b)); scan.Scan(); {
		fields := strings.Fields(scan.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil && addr.Zone() == "" {
			servers = append(servers, netip.AddrPortFrom(addr, 53))
		}
	}
	return servers
}

// readConfiguration follows nginx.conf through its includes for the sites that are not managed.
func (s *survey) readConfiguration(e *Engine) error {
	conf := e.nginx.ConfPath(s.build)
	s.paths = s.build.Paths(nil)
	r := &confReader{s: s, dir: filepath.Dir(conf), enabledDir: e.opts.Nginx.SitesEnabled}
	tree, err := r.read(conf, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return failf(NginxBroken, err, "nginx's configuration is not there: install nginx, or set NGINX_CONF")
		}
		return failf(ConfigReadFailed, err, "read nginx's configuration")
	}
	s.before, _ = serversBefore(tree)
	s.foreign, s.configuration = resources.Sites(tree), tree
	s.certificates = certificatesIn(tree)
	s.settings.HostAccess = resources.AccessRules(tree)
	if !r.sawEnabled {
		return failf(NginxBroken, nil, "%s includes nothing from %s, so no route could take effect: add \"include %s/*.conf;\" to its http block", conf, e.opts.Nginx.SitesEnabled, e.opts.Nginx.SitesEnabled)
	}
	s.paths = s.build.Paths(tree)
	return nil
}

// A confReader reads a configuration with all that it includes.
type confReader struct {
	s          *survey
	dir        string // what relative includes are relative to
	enabledDir string
	sawEnabled bool
	marked     bool            // the place of the managed sites is found
	dirs       map[string]bool // whether they are enabledDir, by whatever name
	files      int
}

func (r *confReader) read(path string, depth int) ([]nginxconf.Directive, error) {
	if r.files++; depth > nginx.MaxIncludeDepth || r.files > nginx.MaxIncludeFiles {
		return nil, fmt.Errorf("%s: too many includes", path)
	}
	b, err := r.s.obs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tree, err := nginxconf.Parse(path, b)
	if err != nil {
		// nginx itself will say what is wrong; what could be read still counts for conflicts.
		r.s.warnings = append(r.s.warnings, fmt.Sprintf("not all of the configuration could be read: %v", err))
	}
	return r.expand(tree, depth)
}

// expand puts what is included in the place of each include.
func (r *confReader) expand(tree []nginxconf.Directive, depth int) ([]nginxconf.Directive, error) {
	var out []nginxconf.Directive
	for _, d := range tree {
		if d.Name == "include" && len(d.Args) == 1 {
			included, err := r.include(d.Args[0], depth)
			if err != nil {
				return nil, err
			}
			out = append(out, included...)
			continue
		}
		if d.Block != nil {
			block, err := r.expand(d.Block, depth)
			if err != nil {
				return nil, err
			}
			d.Block = block
		}
		out = append(out, d)
	}
	return out, nil
}

func (r *confReader) include(pattern string, depth int) ([]nginxconf.Directive, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.dir, pattern)
	}
	inEnabled, err := r.noteEnabled(pattern)
	if err != nil {
		return nil, err
	}
	paths, err := r.s.obs.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var out []nginxconf.Directive
	for _, path := range paths {
		if !r.marked && filepath.Base(path) >= resources.FilePrefix && r.isEnabledDir(filepath.Dir(path)) {
			out, r.marked = append(out, nginxconf.Directive{Name: managedMark}), true
		}
		if address, ok := resources.AddressOf(filepath.Base(path)); ok && r.s.isManaged(address) && r.isEnabledDir(filepath.Dir(path)) {
			continue // its header says all
		}
		included, err := r.read(path, depth+1)
		if err != nil {
			// A dangling link, say: nginx -t names it.
			r.s.warnings = append(r.s.warnings, fmt.Sprintf("included by nginx, but not readable: %v", err))
			continue
		}
		out = append(out, included...)
	}
	if inEnabled && !r.marked {
		out, r.marked = append(out, nginxconf.Directive{Name: managedMark}), true
	}
	return out, nil
}

// managedMark stands in a tree where nginx comes to the managed sites. No directive can be called so.
const managedMark = "{managed}"

// serversBefore counts the servers that stand before the mark.
func serversBefore(tree []nginxconf.Directive) (n int, found bool) {
	for _, d := range tree {
		switch {
		case d.Name == managedMark:
			return n, true
		case d.Name == "http":
			inside, found := serversBefore(d.Block)
			if n += inside; found {
				return n, true
			}
		case d.Name == "server" && d.Block != nil:
			n++
		}
	}
	return n, false
}

// noteEnabled notes whether a pattern has nginx read the links to sites.
func (r *confReader) noteEnabled(pattern string) (is bool, err error) {
	if !host.Match(filepath.Base(pattern), resources.MapsFile) {
		return false, nil
	}
	dirs, err := r.s.obs.Glob(filepath.Dir(pattern))
	is = slices.ContainsFunc(dirs, r.isEnabledDir)
	r.sawEnabled = r.sawEnabled || is
	return is, err
}

func (r *confReader) isEnabledDir(dir string) bool {
	if r.dirs == nil {
		r.dirs = map[string]bool{}
	}
	is, known := r.dirs[dir]
	if !known {
		is = sameDir(dir, r.enabledDir)
		r.dirs[dir] = is
	}
	return is
}

// isManaged reports whether a resource is there, and nginx reads its file.
func (s *survey) isManaged(address string) bool {
	t := s.sites[address]
	return t != nil && t.ours && (t.enabled || t.stray)
}
