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
	"strings"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A survey is what was found on the host: the managed sites by name, and what else matters to them.
type survey struct {
	obs      *host.Observer
	build    *nginx.Build
	settings resources.Settings
	sites    map[string]*site // by droplet name, or "_maps" and "_default"
	// foreign are the sites of configurations that are not managed, wherever nginx.conf includes them from.
	foreign []resources.Site
	// claims are the domains of all sites, found when they are first asked for: once for a whole batch of changes.
	claims func() map[string][]claim
	// certificates are the files that those sites name as certificates and keys, with the file that names each.
	certificates map[string]string
	paths        nginx.Paths
	warnings     []string
}

// A site is one managed file with its link.
type site struct {
	name      string
	path      string // in sites-available
	link      string // in sites-enabled
	file      *plan.State
	linkState *plan.State
	// managed is the file's header; valid if ours.
	managed resources.Managed
	ours    bool  // the program wrote the file
	damaged error // the program wrote it, but its header can't be read any more
	enabled bool  // the link is there and leads to the file
}

// survey looks at the whole host in one pass.
func (e *Engine) survey(ctx context.Context) (*survey, error) {
	s := &survey{obs: e.observer(), sites: map[string]*site{}}
	s.claims = sync.OnceValue(s.findClaims)
	var err error
	if s.build, err = e.build(ctx); err != nil {
		return nil, err
	}
	s.obs.Note(e.opts.NginxBin, "version "+s.build.Version.String())
	if s.settings, err = e.settings(s.build); err != nil {
		return nil, err
	}
	if err := s.readSites(e); err != nil {
		return nil, err
	}
	if err := s.readConfiguration(e); err != nil {
		return nil, err
	}
	return s, nil
}

// settings returns what rendering depends on beside the route.
func (e *Engine) settings(b *nginx.Build) (resources.Settings, error) {
	o := e.opts
	s := resources.Settings{
		HTTPPort: o.HTTPPort, HTTPSPort: o.HTTPSPort, IPv6: hasIPv6(), Nginx: b.Version, OpenSSL: b.OpenSSL,
		Webroot: e.Webroot(), Resolvers: o.Resolvers, TrustedProxies: o.TrustedProxies,
	}
	if s.Resolvers == nil {
		s.Resolvers = systemResolvers()
	}
	if _, err := os.Stat(systemCAs); err == nil {
		s.UpstreamCAFile = systemCAs
	}
	return s, nil
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

// siteName returns the name in a managed file's name: fpai-NAME.conf.
func siteName(base string) (string, bool) {
	name, ok := strings.CutPrefix(base, resources.FilePrefix)
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, resources.FileSuffix)
	return name, ok && name != ""
}

// newSite returns the place of a site that may or may not be there.
func (e *Engine) newSite(name string) *site {
	base := resources.FilePrefix + name + resources.FileSuffix
	return &site{
		name: name, path: host.Join(e.opts.SitesAvailable, base), link: host.Join(e.opts.SitesEnabled, base),
		file: &plan.State{}, linkState: &plan.State{},
	}
}

// readSites reads every file whose name is that of a managed one, and every link.
func (s *survey) readSites(e *Engine) error {
	var list []*site
	for _, dir := range []string{e.opts.SitesAvailable, e.opts.SitesEnabled} {
		names, err := s.obs.ReadDir(dir)
		if err != nil {
			return failf(ConfigWriteFailed, err, "read the directory")
		}
		for _, base := range names {
			name, ok := siteName(base)
			if !ok || s.sites[name] != nil {
				continue
			}
			s.sites[name] = e.newSite(name)
			list = append(list, s.sites[name])
		}
	}
	return host.ForEach(len(list), host.Readers, func(i int) error { return list[i].read(s.obs) })
}

func (t *site) read(o *host.Observer) error {
	file, err := o.LookAtAny(t.path)
	if err != nil {
		return failf(ConfigWriteFailed, err, "read a site")
	}
	link, err := o.LookAtAny(t.link)
	if err != nil {
		return failf(ConfigWriteFailed, err, "read a link")
	}
	t.file, t.linkState = file.State, link.State
	t.enabled = t.linkState.IsLink() && leadsTo(t.link, t.linkState.Target, t.path)
	if !t.file.Exists {
		// A link of ours whose file somebody removed.
		t.ours = t.enabled
		return nil
	}
	if t.file.IsLink() {
		return nil
	}
	t.managed, err = headerOf(file)
	switch {
	case errors.Is(err, resources.ErrUnmanaged):
	case err != nil:
		t.ours, t.damaged = true, err
	default:
		// A copy of a managed file under another name is the work of somebody else.
		t.ours = t.managed.Name == t.name
	}
	return nil
}

// headerOf is resources.ParseManaged of a file.
func headerOf(f *host.Found) (resources.Managed, error) {
	type header struct {
		managed resources.Managed
		err     error
	}
	h := f.Memo(func(content []byte) any {
		m, err := resources.ParseManaged(content)
		return header{m, err}
	}).(header)
	return h.managed, h.err
}

// leadsTo reports whether a link with this target, at link, is a link to path.
func leadsTo(link, target, path string) bool {
	if target == path {
		return true
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	if target = filepath.Clean(target); target == path {
		return true
	}
	// The directories may be reached by other names; the file's own name must be the same.
	if filepath.Base(target) != filepath.Base(path) {
		return false
	}
	a, errA := os.Stat(filepath.Dir(target))
	b, errB := os.Stat(filepath.Dir(path))
	return errA == nil && errB == nil && os.SameFile(a, b)
}

// readConfiguration follows nginx.conf through its includes for the sites that are not managed.
func (s *survey) readConfiguration(e *Engine) error {
	conf := e.nginx.ConfPath(s.build)
	s.paths = s.build.Paths(nil)
	r := &confReader{s: s, dir: filepath.Dir(conf), enabledDir: e.opts.SitesEnabled}
	tree, err := r.read(conf, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return failf(NginxBroken, err, "nginx's configuration is not there: install nginx, or set NGINX_CONF")
		}
		return failf(NginxBroken, err, "read nginx's configuration")
	}
	s.foreign = resources.Sites(tree)
	s.certificates = certificatesIn(tree)
	if !r.sawEnabled {
		return failf(NginxBroken, nil, "%s includes nothing from %s, so no route could take effect: add \"include %s/*.conf;\" to its http block", conf, e.opts.SitesEnabled, e.opts.SitesEnabled)
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
	files      int
}

// Bounds against configurations that include themselves.
const (
	maxIncludeDepth = 16
	maxIncludeFiles = 100_000
)

func (r *confReader) read(path string, depth int) ([]nginxconf.Directive, error) {
	if r.files++; depth > maxIncludeDepth || r.files > maxIncludeFiles {
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
	inEnabled := sameDir(filepath.Dir(pattern), r.enabledDir)
	if inEnabled {
		if ok, _ := filepath.Match(filepath.Base(pattern), resources.MapsFile); ok {
			r.sawEnabled = true
		}
	}
	paths, err := r.s.obs.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var out []nginxconf.Directive
	for _, path := range paths {
		if name, ok := siteName(filepath.Base(path)); ok && inEnabled && r.s.sites[name] != nil && r.s.sites[name].ours && r.s.sites[name].enabled {
			continue // managed: its header says all
		}
		included, err := r.read(path, depth+1)
		if err != nil {
			// A dangling link, say: nginx -t names it.
			r.s.warnings = append(r.s.warnings, fmt.Sprintf("included by nginx, but not readable: %v", err))
			continue
		}
		out = append(out, included...)
	}
	return out, nil
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
