package resources

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

// Schema returns the JSON Schema (2020-12) of the desired state, as text. What a schema can't say, such as that no two
// routes may have one domain, is left to [ParseDesired].
func Schema() []byte { return bytes.Clone(schemaText()) }

var schemaText = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(desiredSchema()) // constants, to memory
	return b.Bytes()
})

func desiredSchema() fields.Schema {
	constraint := func(help string) fields.Schema {
		return fields.Schema{Description: help, Examples: []any{">= 1.18", ">= 1.18, < 2"}, Type: "string", MaxLength: maxConstraint}
	}
	list := func(def, help string) fields.Schema {
		return fields.Schema{Description: help, Type: []string{"array", "null"}, Items: &fields.Schema{Ref: "#/$defs/" + def}}
	}
	return fields.Schema{
		Schema: "https://json-schema.org/draft/2020-12/schema", Title: "Desired state of Proxy Manager",
		Description: "The routes and certificates that are wanted of a host.",
		Type:        "object", AdditionalProperties: new(false),
		Properties: fields.Properties{
			{Name: "$schema", Schema: fields.Schema{Type: "string", Description: "Where an editor finds this schema."}},
			{Name: "required_version", Schema: constraint("The versions of proxy-manager that may use this file.")},
			{Name: "nginx_version", Schema: constraint("The versions of nginx that the host may have.")},
			{Name: "routes", Schema: list("route", "One for each site. No two may have the same droplet_name or share a domain.")},
			{Name: "certificates", Schema: list("certificate", "Only where a route's own, named after its droplet and for all its domains, is not what is wanted.")},
		},
		Defs: fields.Properties{
			{Name: "route", Schema: routeTable.Schema()},
			{Name: "certificate", Schema: certificateTable.Schema()},
		},
	}
}
