package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

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
		if r.files++; depth >= maxIncludeDepth || r.files > maxIncludeFiles {
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
