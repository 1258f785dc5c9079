package resources

import (
	"errors"
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A FieldError says which field of a resource is wrong, and what it must be.
type FieldError = fields.Error

// fieldError makes a FieldError that shows the value without repeating more of it than a line of log can bear.
func fieldError(field, value, constraint string) *FieldError {
	return &FieldError{Field: field, Constraint: constraint, Value: strictjson.Quote(value)}
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
