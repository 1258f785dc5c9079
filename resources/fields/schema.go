package fields

import (
	"bytes"
	"encoding/json"
	"strings"
)

// A Schema is as much of a JSON Schema (2020-12) as resources need. Its JSON has the keywords in the order of the fields.
type Schema struct {
	Schema      string `json:"$schema,omitempty"`
	Ref         string `json:"$ref,omitempty"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	// Type is a string, or a list of them.
	Type                 any        `json:"type,omitempty"`
	Default              any        `json:"default,omitempty"`
	Examples             []any      `json:"examples,omitempty"`
	Enum                 []any      `json:"enum,omitempty"`
	Pattern              string     `json:"pattern,omitempty"`
	MaxLength            int        `json:"maxLength,omitempty"`
	Minimum              *int       `json:"minimum,omitempty"`
	Maximum              *int       `json:"maximum,omitempty"`
	MinItems             int        `json:"minItems,omitempty"`
	MaxItems             int        `json:"maxItems,omitempty"`
	Items                *Schema    `json:"items,omitempty"`
	AdditionalProperties *bool      `json:"additionalProperties,omitempty"`
	Required             []string   `json:"required,omitempty"`
	Properties           Properties `json:"properties,omitempty"`
	Defs                 Properties `json:"$defs,omitempty"`
}

// Properties are schemas by name, in an order.
type Properties []Property

// A Property is a schema with its name.
type Property struct {
	Name   string
	Schema Schema
}

// MarshalJSON returns an object in the order of the list.
func (ps Properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // patterns are to be read
	for i, p := range ps {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(appendText(nil, p.Name))
		b.WriteByte(':')
		if err := e.Encode(p.Schema); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Schema returns the schema of the table's objects: no other fields, and the rules for each.
func (t *Table[S]) Schema() Schema { return t.schema() }

func (t *table) schema() Schema {
	s := Schema{Type: "object", AdditionalProperties: new(false)}
	for _, c := range t.columns {
		if c.Required {
			s.Required = append(s.Required, c.Name)
		}
		s.Properties = append(s.Properties, Property{c.Name, c.schema()})
	}
	return s
}

// schema is the type's, and takes in addition what stands for a value that is left out.
func (c *column) schema() Schema {
	s := c.Type.schema()
	s.Description, s.Default = c.description(), c.Default
	if c.Required {
		return s
	}
	if c.nullable {
		s.Type = []string{c.Kind(), "null"}
	}
	return s
}

// description is the help as a sentence.
func (f Field) description() string {
	s := f.meaning()
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
