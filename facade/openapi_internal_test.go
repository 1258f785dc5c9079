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
