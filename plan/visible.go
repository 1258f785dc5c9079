package plan

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// prose returns text from elsewhere, nginx's messages say, fit to stand in a line of ours. Each further line gets a bar in
// front, so that it cannot pass for the start of a patch.
func prose(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, l := range lines {
		lines[i] = visible(l)
	}
	return strings.Join(lines, "\n     | ")
}

// visible returns s with everything that a terminal would obey or not show written in Go's notation: control characters,
// those that turn the direction of text around (CVE-2021-42574), spaces of no or unusual width, bytes that are not UTF-8.
// Tabs stay.
func visible(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\t' || strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}

// isPlain reports whether s is tabs and printable ASCII, as nearly every line is.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
