package resources

import (
	"errors"
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A FieldError says which field of a resource is wrong, and what it must be.
type FieldError struct {
	// Field is the field's place in the JSON form, such as "domain" or "routes[2].domain"; empty for the whole text.
	Field string
	// Constraint is what the field must be, such as "must be from 1 to 65535".
	Constraint string
	// Value is what was there, quoted and cut to 64 characters; empty if the field's name says it all.
	Value string
}

// Error implements error.
func (e *FieldError) Error() string {
	s := e.Constraint
	if e.Value != "" {
		s += ", not " + e.Value
	}
	if e.Field != "" {
		s = e.Field + " " + s
	}
	return s
}

// fieldError makes a FieldError that shows the value without repeating more of it than a line of log can bear.
func fieldError(field, value, constraint string) *FieldError {
	return &FieldError{Field: field, Constraint: constraint, Value: strictjson.Quote(value)}
}

// under puts the place of a resource before the names of its fields: "routes[2]" and "domain" give "routes[2].domain".
func under(place string, err error) error {
	var fe *FieldError
	if !errors.As(err, &fe) {
		return fmt.Errorf("%s: %w", place, err)
	}
	e := *fe
	if e.Field == "" {
		e.Field = place
	} else {
		e.Field = place + "." + e.Field
	}
	return &e
}

// decodeError turns an error of strictjson into a FieldError.
func decodeError(err error) error {
	var je *strictjson.Error
	if errors.As(err, &je) {
		return &FieldError{Field: je.Field, Constraint: je.Constraint}
	}
	return err
}

// A DomainConflict says that two sites want the same domain. nginx itself would only warn, and never use the second.
type DomainConflict struct {
	Domain string
	// First and Second name the sites: addresses of routes, or the file of a site that is not managed.
	First, Second string
}

// Error implements error.
func (e *DomainConflict) Error() string {
	return fmt.Sprintf("%s is claimed by both %s and %s", e.Domain, e.First, e.Second)
}

var (
	// ErrUnmanaged is in the chain of [ParseManaged]'s error for a file that the program did not write.
	ErrUnmanaged = errors.New("not a file of Proxy Manager")
	// ErrDamaged is in the chain of [ParseManaged]'s error for a file that the program wrote, whose header no longer
	// says what it was made from.
	ErrDamaged = errors.New("the header no longer says what the file was made from")
)
