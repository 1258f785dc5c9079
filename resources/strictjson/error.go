package strictjson

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// syntax reports text that is no JSON, by line and column in bytes, both from 1.
func (s *scanner) syntax(problem string) error {
	before := s.text[:s.pos]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &Error{Constraint: fmt.Sprintf("must be valid JSON: line %d, column %d: %s", line, column, problem)}
}

// wrong reports a value that is JSON but not what its place asks for.
func (s *scanner) wrong(constraint string) error {
	return &Error{Field: place(s.place), Constraint: constraint}
}

// field reports something about a field of the present value.
func (s *scanner) field(key, constraint string) error {
	return &Error{Field: place(append(s.place, step{key: key, index: -1})), Constraint: constraint}
}

func place(steps []step) string {
	var b strings.Builder
	for i, st := range steps {
		switch {
		case st.index >= 0:
			b.WriteString("[" + strconv.Itoa(st.index) + "]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if isWord(st.key) {
			b.WriteString(st.key)
		} else {
			b.WriteString(Quote(st.key))
		}
	}
	return b.String()
}

// isWord reports whether a key can be shown as it is.
func isWord(key string) bool {
	if key == "" || len(key) > 64 {
		return false
	}
	for i := range len(key) {
		c := key[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}
