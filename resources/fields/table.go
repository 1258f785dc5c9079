package fields

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// A Table has a row for each field of the struct S, in the order of S.
type Table[S any] struct {
	*table
	rules []func(*S) error
}

// A table is what a Table knows without its Go type.
type table struct {
	typ        reflect.Type
	columns    []column
	directives []*column // by name
	rule       func(v reflect.Value) error
}

// A column is a row and the place of its field in the struct.
type column struct {
	Field
	index    []int
	fallback reflect.Value // of the default; not valid if there is none
	// omitted is the JSON of a value that is left out of the canonical form; nil if all are written.
	omitted  []byte
	nullable bool
}

// For binds rows to the fields of the struct S, those of embedded structs included, by the names in their JSON tags. A
// field with omitempty in its tag is left out of the canonical form where it has its default.
//
// For is called where a package is initialised. It panics if rows and fields are not the same in the same order, if a type
// can't be held by its field, or if a default does not pass its own check.
func For[S any](rows ...Field) *Table[S] {
	t := &table{typ: reflect.TypeFor[S]()}
	for _, f := range reflect.VisibleFields(t.typ) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		i := len(t.columns)
		if i == len(rows) || rows[i].Name != name {
			panic(fmt.Sprintf("fields: the table of %s has no row for %q at place %d", t.typ, name, i))
		}
		t.columns = append(t.columns, bind(t.typ, rows[i], f, options == "omitempty"))
	}
	if len(rows) > len(t.columns) {
		panic(fmt.Sprintf("fields: %s has no field for the row %q", t.typ, rows[len(t.columns)].Name))
	}
	t.indexDirectives()
	return &Table[S]{table: t}
}

func bind(typ reflect.Type, row Field, f reflect.StructField, omitempty bool) column {
	if !row.Type.holds(f.Type) {
		panic(fmt.Sprintf("fields: %s.%s can't hold a value of %s", typ, f.Name, row.Name))
	}
	c := column{Field: row, index: f.Index, nullable: f.Type.Kind() == reflect.Pointer || f.Type.Kind() == reflect.Slice}
	left := reflect.New(f.Type).Elem()
	if row.Default != nil {
		text := fmt.Sprint(row.Default)
		err := row.Type.set(left, text)
		if err == nil {
			err = row.Type.check(left)
		}
		if err != nil || row.Required || row.Type.text(left) != text {
			panic(fmt.Sprintf("fields: %v can't be the default of %s.%s: %v", row.Default, typ, f.Name, err))
		}
		c.fallback = left
	}
	if omitempty {
		c.omitted = row.Type.json(nil, left)
	}
	return c
}

func (t *table) indexDirectives() {
	for i := range t.columns {
		c := &t.columns[i]
		if c.Directive == "" {
			continue
		}
		if kind := c.Kind(); t.byDirective(c.Directive) != nil || kind != "string" && kind != "integer" {
			panic(fmt.Sprintf("fields: %s can't be the directive of %s.%s", c.Directive, t.typ, c.Name))
		}
		t.directives = append(t.directives, c)
	}
	slices.SortFunc(t.directives, func(a, b *column) int { return strings.Compare(a.Directive, b.Directive) })
}

// Where adds rules for fields that have to fit each other. They are asked in their order, after the checks of all fields,
// and may return an [*Error]. Where belongs to the table's making and returns the table.
func (t *Table[S]) Where(rules ...func(*S) error) *Table[S] {
	t.rules = append(t.rules, rules...)
	t.rule = func(v reflect.Value) error { return t.judge(v.Addr().Interface().(*S)) }
	return t
}

func (t *Table[S]) judge(s *S) error {
	for _, rule := range t.rules {
		if err := rule(s); err != nil {
			return err
		}
	}
	return nil
}

// Fields returns the rows.
func (t *Table[S]) Fields() []Field {
	rows := make([]Field, len(t.columns))
	for i := range t.columns {
		rows[i] = t.columns[i].Field
	}
	return rows
}

func (c *column) of(v reflect.Value) reflect.Value {
	if len(c.index) == 1 {
		return v.Field(c.index[0])
	}
	return v.FieldByIndex(c.index)
}

func (t *table) column(name string) *column {
	for i := range t.columns {
		if t.columns[i].Name == name {
			return &t.columns[i]
		}
	}
	return nil
}

func (t *table) byDirective(name string) *column {
	for _, c := range t.directives {
		if c.Directive == name {
			return c
		}
	}
	return nil
}

func valueOf[S any](s *S) reflect.Value { return reflect.ValueOf(s).Elem() }

// Normalise checks every field, fills in the defaults and brings all values into their canonical form, which shares no
// memory with what was given. The error is an [*Error] for the first field that is wrong, or one of the table's rules.
//
// What s points to must not be written to afterwards; [Table.Copy] makes a copy for that.
func (t *Table[S]) Normalise(s *S) error { return t.check(valueOf(s)) }

func (t *table) check(v reflect.Value) error {
	for i := range t.columns {
		c := &t.columns[i]
		if err := c.check(c.of(v)); err != nil {
			return Under(c.Name, err)
		}
	}
	if t.rule == nil {
		return nil
	}
	return t.rule(v)
}

func (c *column) check(v reflect.Value) error {
	if c.Required || !v.IsZero() {
		return c.Type.check(v)
	}
	if c.fallback.IsValid() {
		v.Set(c.fallback)
	}
	return nil
}

// Copy returns a copy that shares no memory with s.
func (t *Table[S]) Copy(s *S) S {
	c := *s
	separate(valueOf(&c))
	return c
}

// separate makes copies of all that v points to.
func separate(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(v.Elem())
			separate(p.Elem())
			v.Set(p)
		}
	case reflect.Slice:
		if !v.IsNil() {
			list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(list, v)
			for i := range list.Len() {
				separate(list.Index(i))
			}
			v.Set(list)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			separate(v.Field(i))
		}
	}
}

// JSON returns the canonical JSON of normalised fields: one line, in the order of the table, without what has its default
// and may be left out. Fields are equal exactly if their JSON is.
func (t *Table[S]) JSON(s *S) []byte { return t.json(make([]byte, 0, 192), valueOf(s)) }

func (t *table) json(b []byte, v reflect.Value) []byte {
	b = append(b, '{')
	for i := range t.columns {
		c := &t.columns[i]
		before := len(b)
		if b[before-1] != '{' {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), c.Name...), '"', ':')
		value := len(b)
		b = c.Type.json(b, c.of(v))
		if c.omitted != nil && bytes.Equal(b[value:], c.omitted) {
			b = b[:before]
		}
	}
	return append(b, '}')
}

// Changed returns the names of the fields in which two canonical JSON texts differ, in alphabetical order. It needs no
// table, so that it serves resources of every kind; what is no object has no fields.
func Changed(a, b []byte) []string {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return nil
	}
	var names []string
	for name := range y {
		if !bytes.Equal(x[name], y[name]) {
			names = append(names, name)
		}
	}
	for name := range x {
		if _, ok := y[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Texts goes through the fields and their values as people write them: lists of texts with commas, objects as JSON.
func (t *Table[S]) Texts(s *S) iter.Seq2[Field, string] {
	return func(yield func(Field, string) bool) {
		v := valueOf(s)
		for i := range t.columns {
			c := &t.columns[i]
			if !yield(c.Field, c.Type.text(c.of(v))) {
				return
			}
		}
	}
}

// Set sets one field to what a text stands for, as [Table.Texts] writes it. Whether the value is a good one is left to
// [Table.Normalise].
func (t *Table[S]) Set(s *S, name, text string) error {
	c := t.column(name)
	if c == nil {
		return &Error{Field: name, Constraint: "is not a known field"}
	}
	if err := c.Type.set(c.of(valueOf(s)), text); err != nil {
		return Under(name, err)
	}
	return nil
}

// Check checks a text by the rule of one field alone, and returns it in canonical form.
func (t *Table[S]) Check(name, text string) (string, error) {
	var s S
	if err := t.Set(&s, name, text); err != nil {
		return "", err
	}
	c := t.column(name)
	v := c.of(valueOf(&s))
	if err := c.check(v); err != nil {
		return "", Under(name, err)
	}
	return c.Type.text(v), nil
}

// Directives goes through the directives that the fields stand for and their arguments, in the order of their names. A
// field without a value has none.
func (t *Table[S]) Directives(s *S) iter.Seq2[string, string] {
	return func(yield func(directive, argument string) bool) {
		v := valueOf(s)
		for _, c := range t.directives {
			if f := c.of(v); !f.IsZero() && !yield(c.Directive, c.Type.text(f)) {
				return
			}
		}
	}
}

// HasDirective reports whether a field stands for the directive.
func (t *Table[S]) HasDirective(name string) bool { return t.byDirective(name) != nil }

// SetDirective sets the field that stands for a directive to what the directive's argument says.
func (t *Table[S]) SetDirective(s *S, directive, argument string) error {
	c := t.byDirective(directive)
	if c == nil {
		return &Error{Constraint: "has no field that stands for the directive " + directive}
	}
	return t.Set(s, c.Name, argument)
}
