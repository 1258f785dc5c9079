package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Severity says how much it matters that a route does not do what its site did.
type Severity string

const (
	// SeverityRefused: the site can't be adopted. What was closed would be open, an address, HTTPS or a redirect would be
	// lost, or there is no route that does what the site does.
	SeverityRefused Severity = "refused"
	// SeverityLoss: it is lost, which has to be accepted, see [Adoption].
	SeverityLoss Severity = "loss"
	// SeverityNote: it will be different, and nothing is lost.
	SeverityNote Severity = "note"
)

// An AdoptionReason is one thing that a site does and the route made of it would do otherwise, or not at all. The error of
// a refused adoption has them under "reasons" in its details, in order of weight.
type AdoptionReason struct {
	// Line is where the site's file says so, or includes what says so; 0 where it is said outside of it.
	Line     int      `json:"line"`
	Text     string   `json:"text"`
	Severity Severity `json:"severity"`

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
	list     []AdoptionReason
}

func (r *reasons) refuse(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(SeverityRefused, w, d, fmt.Sprintf(format, args...))
}

func (r *reasons) lose(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(SeverityLoss, w, d, fmt.Sprintf(format, args...))
}

func (r *reasons) note(w weight, d nginxconf.Directive, format string, args ...any) {
	r.add(SeverityNote, w, d, fmt.Sprintf(format, args...))
}

// add notes a reason at a directive, once: what a server says counts in each of its locations.
func (r *reasons) add(s Severity, w weight, d nginxconf.Directive, text string) {
	reason := AdoptionReason{Line: d.Line, Text: text, Severity: s, weight: w}
	if d.File != r.file {
		reason.Line = r.included[d.File]
		reason.Text = fmt.Sprintf("%s:%d: %s", d.File, d.Line, text)
	}
	if !slices.Contains(r.list, reason) {
		r.list = append(r.list, reason)
	}
}

func (r *reasons) has(s Severity) bool {
	return slices.ContainsFunc(r.list, func(x AdoptionReason) bool { return x.Severity == s })
}

// sorted returns the reasons in order of weight.
func (r *reasons) sorted() []AdoptionReason {
	order := []Severity{SeverityRefused, SeverityLoss, SeverityNote}
	slices.SortStableFunc(r.list, func(a, b AdoptionReason) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Severity), slices.Index(order, b.Severity)),
			cmp.Compare(a.weight, b.weight), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Text, b.Text))
	})
	return r.list
}

// verdict refuses the adoption, if something speaks against it.
func (r *reasons) verdict(acceptLosses bool) error {
	switch {
	case r.has(SeverityRefused):
		return r.refusal("can't be adopted", SeverityRefused)
	case r.has(SeverityLoss) && !acceptLosses:
		return r.refusal("would not be the same as a route; --accept-losses takes it over without", SeverityLoss)
	}
	return nil
}

// refusal lists what weighs most, and has all reasons in its details.
func (r *reasons) refusal(what string, s Severity) *Error {
	var lines []string
	for _, reason := range r.sorted() {
		if reason.Severity == s {
			lines = append(lines, reason.place("line ")+reason.Text)
		}
	}
	return failf(AdoptionRefused, nil, "%s %s:\n%s", r.file, what, strings.Join(lines, "\n")).
		with("file", r.file).with("reasons", r.sorted())
}

func (r AdoptionReason) place(before string) string {
	if r.Line == 0 {
		return ""
	}
	return fmt.Sprintf("%s%d: ", before, r.Line)
}

// warnings tell what is lost, and what will be different.
func (r *reasons) warnings() []string {
	var told []string
	for _, reason := range r.sorted() {
		text := reason.Text
		if reason.Severity == SeverityLoss {
			text = "not kept: " + text
		}
		told = append(told, cmp.Or(reason.place(r.file+":"), r.file+": ")+text)
	}
	return told
}
