package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/matryer/is"
	"github.com/urfave/cli/v2"
)

// A madeUp has a route's fields and two that nobody has heard of.
type madeUp struct {
	resources.RouteFields
	Colour string   `json:"colour,omitempty"`
	Shades []shade  `json:"shades,omitempty"`
	Moods  []string `json:"moods,omitempty"`
}

type shade struct {
	Of string `json:"of"`
}

func madeUpTable() *fields.Table[madeUp] {
	colour := fields.Choice("red", "blue")
	shades := fields.For[shade](fields.Field{Name: "of", Type: colour, Required: true})
	return fields.For[madeUp](append(resources.RouteTable().Fields(),
		fields.Field{Name: "colour", Type: colour, Default: "red", Help: "colour of the route"},
		fields.Field{Name: "shades", Type: fields.List(fields.Object(shades), 0, 9, "must be fewer than 10"), Help: "its shades"},
		fields.Field{Name: "moods", Type: fields.List(colour, 0, 9, "must be fewer than 10"), Help: "its moods"},
	)...)
}

// given returns what options set.
func given(t *testing.T, options ...string) (m madeUp, help string) {
	t.Helper()
	var out strings.Builder
	app := &cli.App{
		Writer: &out, ErrWriter: io.Discard, Flags: fieldOptions(madeUpTable()),
		Action: func(c *cli.Context) error { return setFields(c, madeUpTable(), &m) },
	}
	if err := app.Run(append([]string{"put"}, options...)); err != nil {
		t.Fatal(err)
	}
	return m, out.String()
}

func TestAMadeUpFieldHasItsOptionAndItsRow(t *testing.T) {
	is := is.New(t)
	_, help := given(t, "--help")
	is.True(strings.Contains(help, "--colour value"))
	is.True(strings.Contains(help, "colour of the route: red or blue (default: red)"))

	m, _ := given(t, "--colour", "blue", "--shades", `[{"of":"red"},{"of":"blue"}]`, "--moods", "red", "--moods=blue,red", "--hsts", "--upstream-port=7")
	is.Equal(m.Colour, "blue")
	is.Equal(m.Shades, []shade{{"red"}, {"blue"}})
	is.Equal(m.Moods, []string{"red", "blue", "red"})
	is.Equal(*m.HSTS, true)
	is.Equal(m.UpstreamPort, 7)
	is.Equal(m.Enabled, nil) // not given

	rows := fieldRows(madeUpTable(), &m, "domain")
	is.Equal(rows[len(rows)-3], []string{"colour", "blue"})
	is.Equal(rows[len(rows)-2], []string{"shades", `[{"of":"red"},{"of":"blue"}]`})
	is.Equal(rows[0][0], "droplet_name")
	is.Equal(rows[1][0], "aliases") // the domain is shown elsewhere
}
