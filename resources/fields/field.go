// Package fields describes the fields of a resource in one table, and makes of it whatever has to know them all: the
// checks and defaults, the canonical JSON, comparison, JSON Schema, options of a command line, rows of text, and the
// directives of nginx that a field stands for.
//
// A [Table] is bound to a Go struct by the names in its JSON tags when the program starts. [For] panics if the struct
// has a field without a row or a row has no field, so that a field can't be forgotten in one place and known in another.
// The package knows of no resource: package resources has the tables.
package fields

import (
	"errors"
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A Field is a row of a table: all there is to say of one field.
type Field struct {
	// Name is the field's name in JSON: "read_timeout".
	Name string
	// Type says which values the field takes.
	Type Type
	// Default stands in for a value that is left out: a string, an int or a bool, in canonical form. Nil leaves it out.
	Default any
	// Required fields must be given, and have no default.
	Required bool
	// Unit is what the value is counted in: "bytes, k, m or g".
	Unit string
	// Help is what the field means, without a capital at its beginning and without a full stop at its end.
	Help string
	// Directive is nginx's directive that the field's value is the only argument of. It is written where the field has a
	// value, and understood in a site that is adopted.
	Directive string
}

// Kind returns the JSON type of the field's values: "string", "integer", "boolean", "array" or "object".
func (f Field) Kind() string { return f.Type.kind() }

// Usage is the help with all that has to be known to write a value: "how to speak to the upstream: http or https".
func (f Field) Usage() string {
	if t, ok := f.Type.(textType); ok && t.as.Enum != nil {
		return f.Help + ": " + t.words
	}
	return f.meaning()
}

// meaning is the help with the unit.
func (f Field) meaning() string {
	if f.Unit == "" {
		return f.Help
	}
	return f.Help + " (in " + f.Unit + ")"
}

// An Error says which field of a resource is wrong, and what it must be.
type Error struct {
	// Field is the field's place in the JSON form, such as "domain" or "routes[2].domain"; empty for the whole text.
	Field string
	// Constraint is what the field must be, such as "must be from 1 to 65535".
	Constraint string
	// Value is what was there, quoted and cut to 64 characters; empty if the field's name says it all.
	Value string
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Constraint
	if e.Value != "" {
		s += ", not " + e.Value
	}
	if e.Field != "" {
		s = e.Field + " " + s
	}
	return s
}

// refuse shows the value without repeating more of it than a line of log can bear.
func refuse(value string, constraint error) error {
	return &Error{Constraint: constraint.Error(), Value: strictjson.Quote(value)}
}

// Under puts the place of what is around a value before the place that an error names: "routes[2]" and "domain" give
// "routes[2].domain", "aliases" and "[1]" give "aliases[1]".
func Under(place string, err error) error {
	fe, ok := errors.AsType[*Error](err)
	if !ok {
		return fmt.Errorf("%s: %w", place, err)
	}
	e := *fe
	switch {
	case e.Field == "", e.Field[0] == '[':
		e.Field = place + e.Field
	default:
		e.Field = place + "." + e.Field
	}
	return &e
}
