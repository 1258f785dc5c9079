package main

import (
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/matryer/is"
)

func TestAMadeUpFieldIsInTheReference(t *testing.T) {
	is := is.New(t)
	list := append(resources.RouteTable().Fields(), fields.Field{
		Name: "colour", Type: fields.Choice("red", "blue"), Default: "red", Help: "colour of the route",
	})
	is.True(strings.HasSuffix(fieldTable("A route", list), "\n| `colour` | red or blue | `red` | colour of the route |\n"))
}
