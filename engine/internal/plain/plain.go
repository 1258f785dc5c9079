// Package plain makes the words of others, programs, servers and the kernel, fit for a message of ours.
package plain

import (
	"strings"
	"unicode"
)

// maxLine bounds a [Line], in characters.
const maxLine = 300

// Line returns foreign text as one line, printable and bounded, without a full stop at its end.
func Line(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(s); len(runes) > maxLine {
		s = string(runes[:maxLine]) + "…"
	}
	return strings.TrimRight(s, ".")
}

// NetError is the innermost error's text, of one that came of asking a server: without addresses twice, and without what
// the server has written where it should have spoken HTTP.
func NetError(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			break
		}
		err = inner.Unwrap()
	}
	text := err.Error()
	if strings.Contains(text, "malformed") || len(text) > 120 {
		return "its answer is no HTTP"
	}
	return text
}
