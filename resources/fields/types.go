package fields

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A Type says which values a field takes. [Text], [Choice], [Integer], [Bool], [List] and [Object] make one.
type Type interface {
	// String says it in words for people: "whole number from 1 to 65535".
	String() string

	kind() string
	// holds reports whether a Go type can hold the values.
	holds(t reflect.Type) bool
	// check brings a value into its canonical form, which shares no memory with the given one, or says what it must be.
	check(v reflect.Value) error
	// json appends a checked value as JSON.
	json(b []byte, v reflect.Value) []byte
	// text returns a checked value as people write it, and set reads it.
	text(v reflect.Value) string
	set(v reflect.Value, text string) error
	schema() Schema
}

// Text takes what check takes, in the form that check returns. The error of check says what the text must be: "must be a
// path". Of the schema the keywords for texts count: pattern, length, examples.
func Text(check func(text string) (canonical string, err error), schema Schema) Type {
	schema.Type = "string"
	words := "text"
	if len(schema.Examples) > 0 {
		words = fmt.Sprint("text such as ", schema.Examples[0])
	}
	return textType{checkText: check, as: schema, words: words}
}

// Choice takes one of a few words.
func Choice(words ...string) Type {
	constraint := errors.New("must be " + strings.Join(words, " or "))
	enum := make([]any, len(words))
	for i, w := range words {
		enum[i] = w
	}
	return textType{
		checkText: func(s string) (string, error) {
			for _, w := range words {
				if s == w {
					return w, nil
				}
			}
			return "", constraint
		},
		as:    Schema{Type: "string", Enum: enum},
		words: strings.Join(words, " or "),
	}
}

type textType struct {
	checkText func(string) (string, error)
	as        Schema
	words     string
}

func (t textType) String() string              { return t.words }
func (t textType) kind() string                { return "string" }
func (t textType) holds(g reflect.Type) bool   { return g.Kind() == reflect.String }
func (t textType) text(v reflect.Value) string { return v.String() }
func (t textType) schema() Schema              { return t.as }

func (t textType) check(v reflect.Value) error {
	given := v.String()
	canonical, err := t.checkText(given)
	if err != nil {
		return refuse(given, err)
	}
	if canonical != given {
		v.SetString(canonical)
	}
	return nil
}

func (t textType) set(v reflect.Value, text string) error {
	v.SetString(text)
	return nil
}

func (t textType) json(b []byte, v reflect.Value) []byte { return appendText(b, v.String()) }

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '&' || c == '<' || c == '>' {
			quoted, _ := json.Marshal(s) // a string: can't fail
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// Integer takes a whole number between two bounds, which are included. The noun stands for it in an error: "must be a port
// from 1 to 65535".
func Integer(noun string, least, most int) Type {
	return integerType{least: least, most: most, constraint: fmt.Errorf("must be %s from %d to %d", noun, least, most)}
}

type integerType struct {
	least, most int
	constraint  error
}

func (t integerType) String() string {
	return fmt.Sprintf("whole number from %d to %d", t.least, t.most)
}
func (t integerType) kind() string                          { return "integer" }
func (t integerType) holds(g reflect.Type) bool             { return g.Kind() == reflect.Int }
func (t integerType) text(v reflect.Value) string           { return strconv.FormatInt(v.Int(), 10) }
func (t integerType) json(b []byte, v reflect.Value) []byte { return strconv.AppendInt(b, v.Int(), 10) }

func (t integerType) check(v reflect.Value) error {
	if n := v.Int(); n < int64(t.least) || n > int64(t.most) {
		return refuse(t.text(v), t.constraint)
	}
	return nil
}

func (t integerType) set(v reflect.Value, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return refuse(text, t.constraint)
	}
	v.SetInt(int64(n))
	return nil
}

func (t integerType) schema() Schema {
	return Schema{Type: "integer", Minimum: &t.least, Maximum: &t.most}
}

// Bool takes true and false. The Go type is *bool, so that a value that is left out can be told from false.
func Bool() Type { return boolType{} }

type boolType struct{}

// Checked values point here, and are never written to.
var yes, no = reflect.ValueOf(new(true)), reflect.ValueOf(new(false))

func (boolType) String() string              { return "true or false" }
func (boolType) kind() string                { return "boolean" }
func (boolType) holds(g reflect.Type) bool   { return g == reflect.TypeFor[*bool]() }
func (boolType) schema() Schema              { return Schema{Type: "boolean"} }
func (boolType) text(v reflect.Value) string { return string(boolType{}.json(nil, v)) }

func (boolType) check(v reflect.Value) error {
	if v.Elem().Bool() {
		v.Set(yes)
	} else {
		v.Set(no)
	}
	return nil
}

func (boolType) json(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, "null"...)
	}
	return strconv.AppendBool(b, v.Elem().Bool())
}

func (boolType) set(v reflect.Value, text string) error {
	on, err := strconv.ParseBool(text)
	if err != nil {
		return refuse(text, errors.New("must be true or false"))
	}
	v.Set(reflect.ValueOf(&on))
	return nil
}

// List takes from least to most items of one type. The constraint is what is said of another number: "must be from 1 to
// 100 names".
func List(item Type, least, most int, constraint string) Type {
	return listType{item: item, least: least, most: most, constraint: constraint}
}

type listType struct {
	item        Type
	least, most int
	constraint  string
}

func (t listType) String() string {
	if t.least == 0 {
		return fmt.Sprintf("list of at most %d, each %s", t.most, t.item)
	}
	return fmt.Sprintf("list of %d to %d, each %s", t.least, t.most, t.item)
}
func (t listType) kind() string { return "array" }
func (t listType) holds(g reflect.Type) bool {
	return g.Kind() == reflect.Slice && t.item.holds(g.Elem())
}

func (t listType) check(v reflect.Value) error {
	n := v.Len()
	if n < t.least || n > t.most {
		return &Error{Constraint: t.constraint}
	}
	if n == 0 {
		v.SetZero()
		return nil
	}
	list := reflect.MakeSlice(v.Type(), n, n)
	reflect.Copy(list, v)
	for i := range n {
		if err := t.item.check(list.Index(i)); err != nil {
			return Under("["+strconv.Itoa(i)+"]", err)
		}
	}
	v.Set(list)
	return nil
}

func (t listType) json(b []byte, v reflect.Value) []byte {
	if v.IsNil() {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = t.item.json(b, v.Index(i))
	}
	return append(b, ']')
}

// text joins items as set reads them: with commas. A list of anything but texts is written as JSON.
func (t listType) text(v reflect.Value) string {
	if t.item.kind() != "string" {
		return string(t.json(nil, v))
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = t.item.text(v.Index(i))
	}
	return strings.Join(items, ",")
}

func (t listType) set(v reflect.Value, text string) error {
	if t.item.kind() != "string" {
		return setJSON(v, text)
	}
	v.SetZero()
	for item := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		v.Set(reflect.Append(v, reflect.ValueOf(item).Convert(v.Type().Elem())))
	}
	return nil
}

func (t listType) schema() Schema {
	items := t.item.schema()
	return Schema{Type: "array", MinItems: t.least, MaxItems: t.most, Items: &items}
}

// Object takes an object that has a table of its own. The Go type is the table's struct, or a pointer to it.
func Object[S any](of *Table[S]) Type { return objectType{of.table} }

type objectType struct{ of *table }

func (t objectType) String() string { return "object" }
func (t objectType) kind() string   { return "object" }
func (t objectType) holds(g reflect.Type) bool {
	return g == t.of.typ || g.Kind() == reflect.Pointer && g.Elem() == t.of.typ
}

func (t objectType) check(v reflect.Value) error {
	if v.Kind() != reflect.Pointer {
		return t.of.check(v)
	}
	object := reflect.New(t.of.typ)
	if !v.IsNil() {
		object.Elem().Set(v.Elem())
	}
	v.Set(object)
	return t.of.check(object.Elem())
}

func (t objectType) json(b []byte, v reflect.Value) []byte {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return append(b, "null"...)
		}
		v = v.Elem()
	}
	return t.of.json(b, v)
}

func (t objectType) text(v reflect.Value) string            { return string(t.json(nil, v)) }
func (t objectType) set(v reflect.Value, text string) error { return setJSON(v, text) }
func (t objectType) schema() Schema                         { return t.of.schema() }

// maxText bounds what is written as JSON on a command line.
const maxText = 64 << 10

func setJSON(v reflect.Value, text string) error {
	v.SetZero()
	err := strictjson.Decode([]byte(text), maxText, v.Addr().Interface())
	if wrong, ok := errors.AsType[*strictjson.Error](err); ok {
		return &Error{Field: wrong.Field, Constraint: wrong.Constraint}
	}
	return err
}
