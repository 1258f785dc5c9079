package resources_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/go-version"
	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

const twoRoutes = `{
  "required_version": ">= 0.1", "nginx_version": ">= 1.18, < 2",
  "routes": [
    {"droplet_name": "alpha", "domain": "alpha.example.com", "upstream_port": 8001},
    {"droplet_name": "beta", "domain": "beta.example.com", "aliases": ["b.example.com"], "upstream_port": 8002}
  ],
  "certificates": [{"name": "alpha", "domains": ["alpha.example.com"], "key_type": "rsa"}]
}`

func TestDesiredStateIsReadAndWritten(t *testing.T) {
	is := is.New(t)
	d, err := resources.ParseDesired([]byte(twoRoutes))
	is.NoErr(err)
	is.Equal(len(d.Routes), 2)
	is.Equal(d.Certificates[0].KeyType(), "rsa")
	b, err := json.Marshal(d)
	is.NoErr(err)
	again, err := resources.ParseDesired(b)
	is.NoErr(err)
	is.True(again.Routes[1].Equal(d.Routes[1]))
	is.True(again.Certificates[0].Equal(d.Certificates[0]))
	is.Equal(again.NginxVersion, d.NginxVersion)
	empty, err := json.Marshal(resources.Desired{})
	is.NoErr(err)
	is.Equal(string(empty), `{"routes":[]}`)
}

func TestDesiredStateMayNameItsSchema(t *testing.T) {
	is := is.New(t)
	d, err := resources.ParseDesired([]byte(`{"$schema":"./proxies.schema.json","routes":[]}`))
	is.NoErr(err)
	b, err := json.Marshal(d)
	is.NoErr(err)
	is.Equal(string(b), `{"routes":[]}`) // it is of the file, not of what is wanted
	_, err = resources.ParseDesired([]byte(`{"routes":[{"$schema":"x"}]}`))
	is.Equal(fmt.Sprint(err), `routes[0]."$schema" is not a known field`) // only at the top
}

func TestErrorsNameThePlaceInTheDesiredState(t *testing.T) {
	for name, c := range map[string]struct{ text, field, want string }{
		"a domain": {`{"routes":[{"droplet_name":"a","domain":"a.example.com","upstream_port":1},{"droplet_name":"b","domain":"b","upstream_port":1}]}`,
			"routes[1].domain", `routes[1].domain must have at least two labels, as in example.com, not "b"`},
		"a type":               {`{"routes":[{"upstream_port":"x"}]}`, "routes[0].upstream_port", `routes[0].upstream_port must be a whole number, not a string`},
		"a field":              {`{"routes":[{"Domain":"x"}]}`, "routes[0].Domain", `routes[0].Domain is not a known field; did you mean "domain"?`},
		"a field of the whole": {`{"route":[]}`, "route", `route is not a known field`},
		"a certificate":        {`{"certificates":[{"name":"a","domains":["x"]}]}`, "certificates[0].domains[0]", `certificates[0].domains[0] must have at least two labels, as in example.com, not "x"`},
		"a constraint":         {`{"required_version":"newest"}`, "required_version", `required_version must be a constraint on a version, such as ">= 1.18, < 2", not "newest"`},
		"a constraint on nginx": {`{"nginx_version":">= 1.18;"}`, "nginx_version",
			`nginx_version must be a constraint on a version, such as ">= 1.18, < 2", not ">= 1.18;"`},
		"two of one name": {`{"routes":[{"droplet_name":"a","domain":"a.example.com","upstream_port":1},{"droplet_name":"A","domain":"b.example.com","upstream_port":1}]}`,
			"routes[1].droplet_name", `routes[1].droplet_name must differ from that of routes[0], not "a"`},
		"two certificates of one name": {`{"certificates":[{"name":"a","domains":["a.example.com"]},{"name":"a","domains":["b.example.com"]}]}`,
			"certificates[1].name", `certificates[1].name must differ from that of certificates[0], not "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := resources.ParseDesired([]byte(c.text))
			var fe *resources.FieldError
			is.True(errors.As(err, &fe))
			is.Equal(fe.Field, c.field)
			is.Equal(err.Error(), c.want)
		})
	}
}

func TestOneDomainInTwoRoutesIsAConflict(t *testing.T) {
	is := is.New(t)
	_, err := resources.ParseDesired([]byte(`{"routes":[
		{"droplet_name":"a","domain":"a.example.com","upstream_port":1},
		{"droplet_name":"b","domain":"b.example.com","aliases":["A.example.com"],"upstream_port":1}]}`))
	var conflict *resources.DomainConflict
	is.True(errors.As(err, &conflict))
	is.Equal(*conflict, resources.DomainConflict{Domain: "a.example.com", First: "route.a", Second: "route.b"})
	is.Equal(err.Error(), "a.example.com is claimed by both route.a and route.b")
}

func TestVersionsAreHeldAgainstTheirConstraints(t *testing.T) {
	is := is.New(t)
	d, err := resources.ParseDesired([]byte(twoRoutes))
	is.NoErr(err)
	v := func(s string) *version.Version { return version.Must(version.NewVersion(s)) }
	is.NoErr(d.Admits(v("0.1.0"), v("1.22.1")))
	is.NoErr(d.Admits(v("0.2.0-dev"), v("1.22.1"))) // a pre-release counts as what it leads to
	is.Equal(fmt.Sprint(d.Admits(v("0.0.9"), v("1.22.1"))), "required_version asks for proxy-manager >= 0.1, and this is 0.0.9")
	is.Equal(fmt.Sprint(d.Admits(v("1.0.0"), v("1.16.0"))), "nginx_version asks for nginx >= 1.18, < 2, and this is 1.16.0")
	is.Equal(fmt.Sprint(d.Admits(v("1.0.0"), nil)), "nginx_version asks for nginx >= 1.18, < 2, whose version is not known")
	is.NoErr(resources.Desired{}.Admits(nil, nil))
}

// FuzzParseDesired: no text is the end of the program, and what is accepted is accepted again as it is written.
func FuzzParseDesired(f *testing.F) {
	f.Add([]byte(twoRoutes))
	f.Add([]byte(`{"required_version":"~> 1.0, != 2","routes":null}`))
	f.Add([]byte(`{"routes":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := resources.ParseDesired(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(d)
		must(t, err)
		again, err := resources.ParseDesired(text)
		if err != nil || len(again.Routes) != len(d.Routes) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}
