package main

import (
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

// resourceFields has a table of fields for each kind of resource.
func resourceFields(string) (string, error) {
	return "\n### Fields\n\nThe same in the desired state, in the body of a `PUT` and, with hyphens, as options of `put`. `proxy-manager schema` prints\n" +
		"them for editors, which a file can name as its `\"$schema\"`. A name in bold must be given.\n" +
		fieldTable("A route", resources.RouteTable().Fields()) +
		fieldTable("A certificate", resources.CertificateTable().Fields()) + "\n", nil
}

func fieldTable(what string, list []fields.Field) string {
	var rows [][]string
	for _, f := range list {
		name, otherwise := "`"+f.Name+"`", ""
		if f.Required {
			name = "**" + name + "**"
		}
		if f.Default != nil {
			otherwise = fmt.Sprintf("`%v`", f.Default)
		}
		value := f.Type.String()
		if f.Unit != "" {
			value += " (in " + f.Unit + ")"
		}
		rows = append(rows, []string{name, value, otherwise, f.Help})
	}
	return "\n" + what + ":\n\n" + table([]string{"field", "value", "default", "meaning"}, rows)
}
