package resources_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A jsonSchema is as much of JSON Schema as the schema uses; decoding it fails on a keyword that is not here.
type jsonSchema struct {
	Schema               string                 `json:"$schema"`
	Ref                  string                 `json:"$ref"`
	Defs                 map[string]*jsonSchema `json:"$defs"`
	Title, Description   string
	Default              any
	Examples             []any
	Type                 any
	Enum                 []any
	Pattern              string
	MaxLength            *int
	Minimum, Maximum     *float64
	MinItems, MaxItems   *int
	Items                *jsonSchema
	Properties           map[string]*jsonSchema
	Required             []string
	AdditionalProperties *bool
}

func loadSchema(t *testing.T) *jsonSchema {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(resources.Schema())))
	d.DisallowUnknownFields()
	var s jsonSchema
	must(t, d.Decode(&s))
	return &s
}

// check reports what the schema has against a value.
func (s *jsonSchema) check(root *jsonSchema, v any) error {
	if s.Ref != "" {
		if err := root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")].check(root, v); err != nil {
			return err
		}
	}
	if s.Type != nil && !slices.Contains(s.types(), typeOf(v)) {
		return fmt.Errorf("%v is no %v", v, s.Type)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%v is none of %v", v, s.Enum)
	}
	switch v := v.(type) {
	case string:
		if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) || s.MaxLength != nil && len(v) > *s.MaxLength {
			return fmt.Errorf("%q does not fit %q", v, s.Pattern)
		}
	case float64:
		if s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			return fmt.Errorf("%v is out of range", v)
		}
	case []any:
		return s.checkItems(root, v)
	case map[string]any:
		return s.checkProperties(root, v)
	}
	return nil
}

func (s *jsonSchema) types() []string {
	if one, ok := s.Type.(string); ok {
		return []string{one}
	}
	var names []string
	for _, n := range s.Type.([]any) {
		names = append(names, n.(string))
	}
	return names
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case float64:
		if v == float64(int64(v)) {
			return "integer"
		}
		return "number"
	default:
		return "object"
	}
}

func (s *jsonSchema) checkItems(root *jsonSchema, v []any) error {
	if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
		return fmt.Errorf("%d items", len(v))
	}
	for _, item := range v {
		if err := s.Items.check(root, item); err != nil {
			return err
		}
	}
	return nil
}

func (s *jsonSchema) checkProperties(root *jsonSchema, v map[string]any) error {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return fmt.Errorf("%s is missing", name)
		}
	}
	for name, value := range v {
		p, ok := s.Properties[name]
		if !ok && s.AdditionalProperties != nil {
			return fmt.Errorf("%s is unknown", name)
		}
		if !ok {
			continue
		}
		if err := p.check(root, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func TestSchemaHasTheFieldsOfTheGoTypes(t *testing.T) {
	is := is.New(t)
	s := loadSchema(t)
	is.Equal(s.Schema, "https://json-schema.org/draft/2020-12/schema")
	for name, typ := range map[string]reflect.Type{"route": reflect.TypeFor[resources.RouteFields](), "certificate": reflect.TypeFor[resources.CertificateFields]()} {
		var want, got []string
		for f := range typ.Fields() {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() {
				want = append(want, tag)
			}
		}
		for p := range s.Defs[name].Properties {
			got = append(got, p)
		}
		slices.Sort(want)
		slices.Sort(got)
		is.Equal(got, want)
		is.Equal(*s.Defs[name].AdditionalProperties, false)
	}
}

func TestSchemaHasTheDefaultsOfTheConstructor(t *testing.T) {
	is := is.New(t)
	s := loadSchema(t)
	r, err := resources.NewRoute(good())
	is.NoErr(err)
	b, err := json.Marshal(r.Fields())
	is.NoErr(err)
	var fields map[string]any
	is.NoErr(json.Unmarshal(b, &fields))
	for name, p := range s.Defs["route"].Properties {
		if p.Default != nil && fields[name] != p.Default {
			t.Errorf("%s: %v, not %v", name, p.Default, fields[name])
		}
	}
}

// TestSchemaAndConstructorAgree puts values into every field. Whatever the constructor takes, the schema must take. What
// the schema takes and the constructor does not has to be among the things that a schema can't say.
func TestSchemaAndConstructorAgree(t *testing.T) {
	s := loadSchema(t)
	values := []any{nil, true, false, "", 0, 1, 80, 65535, 65536, -1, 1.5, "a", "A-b_c", "-a", "_a", strings.Repeat("a", 63), strings.Repeat("a", 64),
		"a.example.com", "A.Example.com", "a.example.com.", "a..b", "*.example.com", "192.0.2.1", "::1", "[::1]", "localhost", "xn--mnchen-3ya.de",
		strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 127) + "a", "http", "https", "HTTP", "10m", "0", "1G", "1t", "60s", "500ms", "1h", "25h", "01s", "30",
		"/", "/health", "//x", "/a?b=c", "/a b", "/%41", "/%4", "ops@example.com", "a..b@example.com", "Ops <ops@example.com>", "ecdsa", "rsa", "dsa",
		[]any{}, []any{"b.example.com"}, []any{"b.example.com", "c"}, []any{1}, map[string]any{}}
	for _, v := range hostile {
		values = append(values, v)
	}
	for kind, base := range map[string]map[string]any{
		"routes":       {"droplet_name": "x", "domain": "x.example.com", "upstream_port": 8001},
		"certificates": {"name": "x", "domains": []any{"x.example.com"}},
	} {
		for _, field := range fieldNames(s, kind) {
			for _, v := range values {
				one := map[string]any{}
				for k, value := range base {
					one[k] = value
				}
				one[field] = v
				agree(t, s, kind, field, map[string]any{kind: []any{one}})
			}
		}
	}
	for _, text := range []string{`{}`, `[]`, `{"routes":null}`, `{"routes":{}}`, `{"routes":[{}]}`, `{"routes":[1]}`, `{"x":1}`, `{"required_version":">= 1"}`, `{"required_version":1}`} {
		var v any
		must(t, json.Unmarshal([]byte(text), &v))
		agree(t, s, "the whole", text, v)
	}
}

func fieldNames(s *jsonSchema, kind string) []string {
	names := []string{"unknown_field"}
	for name := range s.Defs[strings.TrimSuffix(kind, "s")].Properties {
		names = append(names, name)
	}
	return names
}

// unsaid are constraints that a schema can't say, or only in ways that nobody could read.
var unsaid = regexp.MustCompile(`no IP address|must be the address of one host|must be a DNS name, an IPv4 address|must be a time such as|must be a path|must be an email|must have at least two labels`)

func agree(t *testing.T, s *jsonSchema, kind, field string, v any) {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	var plain any
	must(t, json.Unmarshal(text, &plain))
	_, refused := resources.ParseDesired(text)
	bySchema := s.check(s, plain)
	switch {
	case refused == nil && bySchema != nil:
		t.Errorf("%s.%s: %s is accepted, but not by the schema: %v", kind, field, text, bySchema)
	case refused != nil && bySchema == nil && !unsaid.MatchString(refused.Error()):
		t.Errorf("%s.%s: the schema accepts %s: %v", kind, field, text, refused)
	}
}
