package adopt

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Severity says how much it matters that a route does not do what its site did, the gravest first.
type Severity int

const (
	Refused Severity = iota // the site can't be adopted
	Loss                    // it is lost, which has to be accepted
	Note                    // it will be different, and nothing is lost
)

// A Reason is one thing that a site does and the route made of it would do otherwise, or not at all.
type Reason struct {
	// Line is where the site's file says so, or includes what says so; 0 where it is said outside of it.
	Line     int
	Text     string
	Severity Severity

	weight weight
}

// A weight orders reasons of one severity, the heaviest first.
type weight int

const (
	weighsAccess weight = iota
	weighsListen
	weighsCertificate
	weighsRedirect
	weighsShape
	weighsPlace
	weighsServer
	weighsHTTPS
	weighsUpstream
	weighsRest
)

// reasons are what is found while a site is compared with its route.
type reasons struct {
	file     string
	included map[string]int // the line of the file by which each other file is read
	list     []Reason
}

func (r *reasons) refuse(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(Refused, w, d, fmt.Sprintf(format, args...))
}

func (r *reasons) lose(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(Loss, w, d, fmt.Sprintf(format, args...))
}

func (r *reasons) note(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(Note, w, d, fmt.Sprintf(format, args...))
}

// add notes a reason at a directive, once: what a server says counts in each of its locations.
func (r *reasons) add(s Severity, w weight, d nginxconf.Directive, text string) {
	reason := Reason{Line: d.Line, Text: text, Severity: s, weight: w}
	if d.File != r.file {
		reason.Line = r.included[d.File]
		reason.Text = fmt.Sprintf("%s:%d: %s", d.File, d.Line, text)
	}
	if !slices.Contains(r.list, reason) {
		r.list = append(r.list, reason)
	}
}

// Has reports whether there is a reason of a severity.
func (r *reasons) Has(s Severity) bool {
	return slices.ContainsFunc(r.list, func(x Reason) bool { return x.Severity == s })
}

// Reasons returns the reasons in order of weight.
func (r *reasons) Reasons() []Reason {
	slices.SortStableFunc(r.list, func(a, b Reason) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.weight, b.weight), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return r.list
}

// Place is the line, with what stands before it, or "".
func (r Reason) Place(before string) string {
	if r.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s%d: ", before, r.Line)
}

// Warnings tell what is lost, and what will be different.
func (r *reasons) Warnings() []string {
	var told []string
	for _, reason := range r.Reasons() {
		text := reason.Text
		if reason.Severity == Loss {
			text = "not kept: " + text
		}
		told = append(told, cmp.Or(reason.Place(r.file+":"), r.file+": ")+text)
	}
	return told
}

// NoteFirst tells of a site that answers names that are nobody's only because it is the first on its port.
func (r *reasons) NoteFirst(line, port int) {
	r.note(weighsPlace, nginxconf.Directive{File: r.file, Line: line}, "as the first on port %d it answers names that no site has; the route answers for its own only", port)
}
