// Package strictjson decodes JSON that somebody else wrote, and guesses nothing.
//
// encoding/json is lenient where a mistake, or an attack, hides: it matches keys in any case, takes the last of two
// equal keys, ignores unknown ones and what follows the value, and turns broken UTF-8 into U+FFFD. DisallowUnknownFields
// helps with one of these, and repeats the key whole in its error, be it half a megabyte. [Decode] refuses all of them
// and names the place.
package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep values may be nested.
const MaxDepth = 32

// An Error says where a text is not the JSON that was asked for, and what it would have to be.
type Error struct {
	// Field is the place, such as "domain" or "routes[2].domain"; empty if the text as a whole is meant.
	Field string
	// Constraint says what is wrong there, such as "must be a string" or "is given twice".
	Constraint string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Constraint
	}
	return e.Field + " " + e.Constraint
}

// Decode reads the one JSON value in b, of at most limit bytes, into v, a pointer as for [json.Unmarshal]. Every key of
// an object must be a field of the Go struct, spelled as in its tag and given once. Null is accepted where Go itself
// writes it: for pointers, slices, maps and interfaces. A struct with the tag `strict:"filled"` on one of its fields, be it
// the blank one, takes no empty text: whoever wrote one meant something else than nothing. An error is an *[Error].
func Decode(b []byte, limit int, v any) error {
	if len(b) > limit {
		return &Error{Constraint: fmt.Sprintf("must be JSON of at most %d bytes, not %d", limit, len(b))}
	}
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return fmt.Errorf("decode JSON into %T: not a pointer", v)
	}
	s := scanner{text: b}
	if err := s.document(t.Elem()); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Error{Constraint: "must be JSON of the expected form: " + err.Error()}
	}
	return nil
}

// Quote quotes s for an error, and cuts it off after 64 bytes: a message must not grow with what was sent.
func Quote(s string) string {
	const limit = 64
	if len(s) <= limit {
		return strconv.QuoteToASCII(s)
	}
	return strconv.QuoteToASCII(s[:limit]) + "…"
}

// A scanner walks through a text side by side with the Go type that it will be decoded into.
type scanner struct {
	text  []byte
	pos   int
	place []step
}

// A step leads from a value to one inside it: by index, or by key if index is negative.
type step struct {
	key   string
	index int
}

func (s *scanner) document(t reflect.Type) error {
	if err := s.value(t); err != nil {
		return err
	}
	if s.space(); s.pos < len(s.text) {
		return s.syntax("nothing may follow the value")
	}
	return nil
}

// value reads a value that is to become a t; t is nil where anything is allowed.
func (s *scanner) value(t reflect.Type) error {
	if len(s.place) > MaxDepth {
		return &Error{Constraint: fmt.Sprintf("must be JSON nested at most %d deep", MaxDepth)}
	}
	s.space()
	if s.pos == len(s.text) {
		return s.syntax("the text ends too early")
	}
	k := kindOf(t)
	switch c := s.text[s.pos]; {
	case c == '{':
		return s.object(k)
	case c == '[':
		return s.array(k)
	case c == '"':
		if err := s.expect(k, stringKind); err != nil {
			return err
		}
		_, err := s.string()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number(k)
	default:
		return s.word(k)
	}
}

func (s *scanner) object(k kind) error {
	if err := s.expect(k, objectKind); err != nil {
		return err
	}
	s.pos++
	seen := make([]string, 0, 16)
	for first := true; ; first = false {
		s.space()
		if s.take('}') {
			return nil
		}
		if !first && !s.take(',') {
			return s.syntax("',' or '}' is expected")
		}
		s.space()
		key, err := s.string()
		if err != nil {
			return err
		}
		if seen, err = s.once(seen, key); err != nil {
			return err
		}
		if err := s.member(k, key); err != nil {
			return err
		}
	}
}

// once refuses a key that the object has already had.
func (s *scanner) once(seen []string, key string) ([]string, error) {
	// A linear search: objects that become structs have a dozen keys. The bound keeps others from costing n².
	const most = 1024
	if len(seen) == most {
		return nil, s.wrong(fmt.Sprintf("must have at most %d fields", most))
	}
	for _, k := range seen {
		if k == key {
			return nil, s.field(key, "is given twice")
		}
	}
	return append(seen, key), nil
}

func (s *scanner) member(k kind, key string) error {
	s.space()
	if !s.take(':') {
		return s.syntax("':' is expected")
	}
	t := k.elem
	if k.fields != nil {
		f, ok := k.fields[key]
		if !ok {
			return s.field(key, "is not a known field"+k.suggest(key))
		}
		t = f
		if s.space(); k.filled && strings.HasPrefix(string(s.text[s.pos:min(s.pos+2, len(s.text))]), `""`) && kindOf(t).is == stringKind {
			return s.field(key, "must not be empty: leave it out instead")
		}
	}
	return s.inside(step{key: key, index: -1}, t)
}

func (s *scanner) array(k kind) error {
	if err := s.expect(k, arrayKind); err != nil {
		return err
	}
	s.pos++
	for i := 0; ; i++ {
		s.space()
		if s.take(']') {
			return nil
		}
		if i > 0 && !s.take(',') {
			return s.syntax("',' or ']' is expected")
		}
		if err := s.inside(step{index: i}, k.elem); err != nil {
			return err
		}
	}
}

func (s *scanner) inside(at step, t reflect.Type) error {
	s.place = append(s.place, at)
	err := s.value(t)
	s.place = s.place[:len(s.place)-1]
	return err
}

// string reads a string and returns what it stands for.
func (s *scanner) string() (string, error) {
	if !s.take('"') {
		return "", s.syntax("a string is expected")
	}
	start, plain := s.pos, true
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; {
		case c == '"':
			raw := s.text[start-1 : s.pos+1]
			s.pos++
			if plain {
				return string(raw[1 : len(raw)-1]), nil
			}
			return s.unescape(raw)
		case c == '\\':
			plain = false
			s.pos++
		case c < ' ':
			return "", s.syntax("a control character in a string")
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	s.pos = len(s.text)
	return "", s.syntax("the text ends within a string")
}

func (s *scanner) unescape(raw []byte) (string, error) {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", s.syntax("a string with a wrong escape")
	}
	// What is not Unicode (broken UTF-8, half a surrogate pair) has become this.
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", s.syntax("a string that is not Unicode")
	}
	return text, nil
}

func (s *scanner) number(k kind) error {
	start := s.pos
	for s.pos < len(s.text) && strings.IndexByte("+-.0123456789Ee", s.text[s.pos]) >= 0 {
		s.pos++
	}
	literal := s.text[start:s.pos]
	if !json.Valid(literal) {
		s.pos = start
		return s.syntax("a malformed number")
	}
	if k.is != integerKind {
		return s.expect(k, numberKind)
	}
	// The value's own range is its owner's to judge; here it only has to fit into the Go type.
	var err error
	if k.unsigned {
		_, err = strconv.ParseUint(string(literal), 10, k.bits)
	} else {
		_, err = strconv.ParseInt(string(literal), 10, k.bits)
	}
	if err != nil {
		return s.wrong("must be a whole number of sensible size")
	}
	return nil
}

// word reads true, false or null.
func (s *scanner) word(k kind) error {
	for _, w := range [...]struct {
		text string
		is   kindName
	}{{"true", boolKind}, {"false", boolKind}, {"null", nullKind}} {
		if !strings.HasPrefix(string(s.text[s.pos:min(len(s.text), s.pos+len(w.text))]), w.text) {
			continue
		}
		if err := s.expect(k, w.is); err != nil {
			return err
		}
		s.pos += len(w.text)
		return nil
	}
	return s.syntax("a value is expected")
}

func (s *scanner) expect(k kind, got kindName) error {
	if k.is == anyKind || k.is == got || got == nullKind && k.nullable {
		return nil
	}
	return s.wrong("must be " + string(k.is) + ", not " + string(got))
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.pos < len(s.text) && s.text[s.pos] == c {
		s.pos++
		return true
	}
	return false
}
