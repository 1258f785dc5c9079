package facade

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestAMadeUpFieldOfTheSchemaIsInTheDocument(t *testing.T) {
	is := is.New(t)
	schema := strings.Replace(string(resources.Schema()), `"properties": {
        "droplet_name": {`, `"properties": {
        "colour": {"enum": ["red", "blue"]},
        "droplet_name": {`, 1)
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]map[string]any
			}
		}
	}
	is.NoErr(json.Unmarshal(bundle(openAPISource, []byte(schema)), &document))
	schemas := document.Components.Schemas
	is.Equal(schemas["RouteFields"].Properties["colour"]["enum"], []any{"red", "blue"}) // what all routes of the document are made of
	is.Equal(schemas["DesiredRoute"].Properties["colour"]["enum"], []any{"red", "blue"})
}

func TestTheDocumentStandsByItself(t *testing.T) {
	is := is.New(t)
	is.True(json.Valid(openAPIDocument()))
	is.True(strings.Contains(string(openAPISource), "proxies.schema.json"))
	is.True(!strings.Contains(string(openAPIDocument()), "proxies.schema.json"))
}

// Go generators make a type of every component's name, a function New… of every schema's, and types of their own of every
// operation's: oapi-codegen, ogen and openapi-generator.
func TestNoNameOfTheDocumentBreaksAGeneratedClient(t *testing.T) {
	is := is.New(t)
	var document struct {
		Paths      map[string]map[string]json.RawMessage
		Components map[string]map[string]json.RawMessage
	}
	is.NoErr(json.Unmarshal(openAPIDocument(), &document))
	taken := map[string]string{}
	take := func(name, by string) {
		key := strings.ToLower(strings.ReplaceAll(name, "-", ""))
		if other, is := taken[key]; is {
			t.Errorf("%s is a name for %s and for %s", name, by, other)
		}
		taken[key] = by
	}
	for kind, components := range document.Components {
		for name := range components {
			take(name, "one of "+kind)
			if kind == "schemas" {
				take("New"+name, "the constructor of "+name)
			}
		}
	}
	for path, item := range document.Paths {
		for method, raw := range item {
			var op struct {
				ID string `json:"operationId"`
			}
			if method == "parameters" || json.Unmarshal(raw, &op) != nil {
				continue
			}
			for _, suffix := range []string{"Request", "Response", "Params", "JSONBody", "JSONRequestBody", "Req", "Res", "OK"} {
				take(op.ID+suffix, method+" "+path)
			}
		}
	}
}
