package adopt

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A File is that of a site, and what has to be known to read it.
type File struct {
	Path    string
	Content []byte
	Links   func(path string) bool // reports whether nginx reaches the file by a link at the path
	// Pending: it is a managed file that waits for its certificate. Damaged: its header can't be read, so what only that said is lost.
	Pending, Damaged bool
}

// A Host is what a site is read on.
type Host struct {
	Observer      *host.Observer
	Dir           string // what relative includes are relative to
	Settings      resources.Settings
	Configuration []nginxconf.Directive // what nginx reads but for managed sites
}

// Read reads a site with all that it includes, and what it inherits. An error is one of syntax.
func Read(f File, h Host) (*Site, error) {
	tree, err := nginxconf.Parse(f.Path, f.Content)
	if err != nil {
		return nil, err
	}
	found := &reasons{file: f.Path, included: map[string]int{}}
	reader := siteReader{obs: h.Observer, dir: h.Dir, reasons: found}
	u := &Site{reasons: found, host: h.Settings, tree: reader.read(tree, 0, 0), upstreams: map[string]nginxconf.Directive{}, pending: f.Pending}
	others := u.without(h.Configuration, f.Links)
	u.http = httpLevel(others)
	for _, level := range [][]nginxconf.Directive{u.http, u.tree} {
		for _, d := range level {
			if d.Name == "upstream" && len(d.Args) == 1 {
				u.upstreams[d.Args[0]] = d
			}
		}
	}
	if f.Damaged {
		u.lose(weighsRest, nginxconf.Directive{File: f.Path, Line: 1}, "what the damaged header said beside the text: require_healthy, health_check_path")
	}
	u.read()
	u.usedElsewhere(others)
	u.access()
	return u, nil
}

// without is the configuration of nginx as it will be without the site.
func (u *Site) without(configuration []nginxconf.Directive, links func(string) bool) []nginxconf.Directive {
	own := map[spot]bool{}
	for _, d := range u.tree {
		own[spotOf(d)] = true
	}
	isOwn := func(d nginxconf.Directive) bool {
		at := spotOf(d)
		if links(at.file) {
			at.file = u.file
		}
		return own[at]
	}
	var rest []nginxconf.Directive
	for _, d := range configuration {
		if d.Name == "http" {
			d.Block = slices.DeleteFunc(slices.Clone(d.Block), isOwn)
		}
		rest = append(rest, d)
	}
	return rest
}

// A siteReader reads a site with all that it includes: what it says elsewhere counts as what it says itself.
type siteReader struct {
	obs     *host.Observer
	dir     string // what relative includes are relative to
	reasons *reasons
	files   int
}

// read puts what is included in the place of each include. What can't be read may be what closes the site, so it is
// refused.
func (r *siteReader) read(tree []nginxconf.Directive, line, depth int) []nginxconf.Directive {
	out := []nginxconf.Directive{}
	for _, d := range tree {
		at := line
		if d.File == r.reasons.file {
			at = d.Line
		}
		if d.Name == "include" && len(d.Args) == 1 {
			out = append(out, r.include(d, at, depth)...)
			continue
		}
		if d.Block != nil {
			d.Block = r.read(d.Block, at, depth)
		}
		out = append(out, d)
	}
	return out
}

func (r *siteReader) include(d nginxconf.Directive, line, depth int) []nginxconf.Directive {
	pattern := d.Args[0]
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.dir, pattern)
	}
	paths, err := r.obs.Glob(pattern)
	if err != nil {
		r.reasons.refuse(weighsAccess, d, "include %s can't be read, so what it closes is not known: %v", d.Args[0], err)
		return nil
	}
	var out []nginxconf.Directive
	for _, path := range paths {
		if r.files++; depth >= nginx.MaxIncludeDepth || r.files > nginx.MaxIncludeFiles {
			r.reasons.refuse(weighsAccess, d, "include %s: too many includes", d.Args[0])
			return out
		}
		if r.reasons.included[path] == 0 {
			r.reasons.included[path] = line
		}
		content, err := r.obs.ReadFile(path)
		var tree []nginxconf.Directive
		if err == nil {
			tree, err = nginxconf.Parse(path, content)
		}
		if err != nil {
			r.reasons.refuse(weighsAccess, d, "include %s can't be read, so what it closes is not known: %v", d.Args[0], err)
			continue
		}
		out = append(out, r.read(tree, line, depth+1)...)
	}
	return out
}

// httpLevel are the directives of the http blocks, which sites inherit.
func httpLevel(tree []nginxconf.Directive) []nginxconf.Directive {
	var level []nginxconf.Directive
	for _, d := range tree {
		if d.Name == "http" {
			level = append(level, d.Block...)
		}
	}
	return level
}

// A scope is the blocks around a request, the outermost first: http, server, location.
type scope [][]nginxconf.Directive

// of returns what counts of the directives with these names: in nginx, those of the innermost level that has any.
func (s scope) of(names ...string) []nginxconf.Directive {
	for _, level := range slices.Backward(s) {
		var found []nginxconf.Directive
		for _, d := range level {
			if d.Block == nil && slices.Contains(names, d.Name) {
				found = append(found, d)
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// constants are the variables that blocks set to a text, by name. One that is set on a condition is none.
func (s scope) constants() map[string]string {
	known := map[string]string{}
	for _, level := range s {
		for _, d := range level {
			if d.Name == "set" && len(d.Args) == 2 {
				known[strings.TrimPrefix(d.Args[0], "$")] = expand(d.Args[1], known)
			}
		}
	}
	for _, level := range s {
		walk(level, func(d nginxconf.Directive, within []nginxconf.Directive) {
			if d.Name == "set" && len(d.Args) == 2 && slices.ContainsFunc(within, func(w nginxconf.Directive) bool { return w.Name == "if" }) {
				delete(known, strings.TrimPrefix(d.Args[0], "$"))
			}
		})
	}
	return known
}

// expand puts texts in the place of variables, and writes the others as $name.
func expand(text string, known map[string]string) string {
	return os.Expand(text, func(name string) string {
		if value, ok := known[name]; ok {
			return value
		}
		return "$" + name
	})
}
