package resources

import (
	"bytes"
	_ "embed"
)

// The schema is written by hand, since half of it is prose for whoever edits the file with its help. A test holds it
// against the constructors, field by field and value by value.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of the desired state, as text. What a schema can't say, such as that no two
// routes may have one domain, is left to [ParseDesired].
func Schema() []byte { return bytes.Clone(schema) }
