package engine

import (
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/adopt"
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

var severities = [...]Severity{adopt.Refused: SeverityRefused, adopt.Loss: SeverityLoss, adopt.Note: SeverityNote}

// An AdoptionReason is one thing that a site does and the route made of it would do otherwise, or not at all. The error of
// a refused adoption has them under "reasons" in its details, in order of weight.
type AdoptionReason struct {
	// Line is where the site's file says so, or includes what says so; 0 where it is said outside of it.
	Line     int      `json:"line"`
	Text     string   `json:"text"`
	Severity Severity `json:"severity"`
}

// verdict refuses the adoption, if something speaks against it.
func (a *adoption) verdict(acceptLosses bool) error {
	switch {
	case a.site.Has(adopt.Refused):
		return a.refusal("can't be adopted", adopt.Refused)
	case a.site.Has(adopt.Loss) && !acceptLosses:
		return a.refusal("would not be the same as a route; --accept-losses takes it over without", adopt.Loss)
	}
	return nil
}

// refusal lists what weighs most, and has all reasons in its details.
func (a *adoption) refusal(what string, s adopt.Severity) *Error {
	var lines []string
	var reasons []AdoptionReason
	for _, r := range a.site.Reasons() {
		if r.Severity == s {
			lines = append(lines, r.Place("line ")+r.Text)
		}
		reasons = append(reasons, AdoptionReason{Line: r.Line, Text: r.Text, Severity: severities[r.Severity]})
	}
	return failf(AdoptionRefused, nil, "%s %s:\n%s", a.file, what, strings.Join(lines, "\n")).with("file", a.file).with("reasons", reasons)
}
