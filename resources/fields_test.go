package resources_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A madeUp has a route's fields and one that nobody has heard of.
type madeUp struct {
	resources.RouteFields
	Colour string `json:"colour,omitempty"`
}

// madeUpTable is a copy of the route's table with one row more.
func madeUpTable() *fields.Table[madeUp] {
	return fields.For[madeUp](append(resources.RouteTable().Fields(), fields.Field{
		Name: "colour", Type: fields.Choice("red", "blue"), Default: "red", Help: "colour of the route", Directive: "proxy_colour",
	})...)
}

// What the packages above make of such a field is for their tests: the options and rows of the CLI, OpenAPI, the reference.
func TestAMadeUpFieldIsCheckedWrittenComparedDescribedRenderedAndAdopted(t *testing.T) {
	is := is.New(t)
	table := madeUpTable()
	made := func(colour string) (madeUp, error) {
		var m madeUp
		is.NoErr(strictjson.Decode([]byte(`{"droplet_name":"A","domain":"a.example.com","upstream_port":1,"colour":"`+colour+`"}`), 1<<10, &m))
		return m, table.Normalise(&m)
	}
	_, err := made("green")
	var wrong *resources.FieldError
	is.True(errors.As(err, &wrong))
	is.Equal(wrong.Field, "colour")

	blue, err := made("blue")
	is.NoErr(err)
	is.True(strings.HasSuffix(string(table.JSON(&blue)), `,"colour":"blue"}`))
	_, err = made("red")
	is.NoErr(err)
	red := blue
	red.Colour = ""
	is.NoErr(table.Normalise(&red))
	is.True(!strings.Contains(string(table.JSON(&red)), "colour")) // the default
	is.Equal(fields.Changed(table.JSON(&red), table.JSON(&blue)), []string{"colour"})

	schema, err := json.Marshal(table.Schema())
	is.NoErr(err)
	is.True(strings.Contains(string(schema), `"colour":{"description":"Colour of the route.","type":"string","default":"red","enum":["red","blue"]}`))

	is.Equal(maps.Collect(table.Directives(&blue))["proxy_colour"], "blue") // all of these are rendered
	is.True(table.HasDirective("proxy_colour"))
	is.NoErr(table.SetDirective(&red, "proxy_colour", "blue"))
	is.Equal(red.Colour, "blue")
}

func TestEveryDirectiveOfAFieldIsRendered(t *testing.T) {
	is := is.New(t)
	r, err := resources.NewRoute(good())
	is.NoErr(err)
	text, err := r.Render(at("1.22.1"), files)
	is.NoErr(err)
	f := r.Fields()
	for directive, argument := range resources.RouteTable().Directives(&f) {
		is.Equal(strings.Count(string(text), " "+directive+" "+argument+";\n"), 1)
	}
}

func TestEveryFieldHasItsHelp(t *testing.T) {
	for _, f := range slices.Concat(resources.RouteTable().Fields(), resources.CertificateTable().Fields()) {
		if f.Help == "" || strings.HasSuffix(f.Help, ".") {
			t.Errorf("%s: %q", f.Name, f.Help)
		}
	}
}
