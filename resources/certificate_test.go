package resources_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestCertificateIsNormalised(t *testing.T) {
	is := is.New(t)
	c, err := resources.ParseCertificate([]byte(`{"name":"Alpha","domains":["A.example.com"],"email":"Ops+le@Example.COM"}`))
	is.NoErr(err)
	is.Equal(c.Address(), "certificate.alpha")
	is.Equal(c.LineageName(), "fpai-alpha")
	is.Equal(c.Domains(), []string{"a.example.com"})
	is.Equal(c.Email(), "Ops+le@example.com")
	is.Equal(c.KeyType(), "ecdsa")
	b, err := json.Marshal(c)
	is.NoErr(err)
	is.Equal(string(b), `{"name":"alpha","domains":["a.example.com"],"email":"Ops+le@example.com"}`)
	again, err := resources.NewCertificate(c.Fields())
	is.NoErr(err)
	is.True(again.Equal(c))
}

func TestRouteImpliesACertificateForAllItsDomains(t *testing.T) {
	is := is.New(t)
	f := good()
	f.Aliases = []string{"b.example.com"}
	r, err := resources.NewRoute(f)
	is.NoErr(err)
	c, err := r.Certificate("")
	is.NoErr(err)
	is.Equal(c.Name(), "alpha")
	is.Equal(c.LineageName(), r.CertificateName())
	is.Equal(c.Domains(), r.Domains())
}

func TestCertificatesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ text, field string }{
		"no domain":         {`{"name":"a","domains":[]}`, "domains"},
		"too many domains":  {`{"name":"a","domains":["` + strings.Join(manyDomains(101), `","`) + `"]}`, "domains"},
		"a domain twice":    {`{"name":"a","domains":["a.example.com","A.example.com"]}`, "domains[1]"},
		"a wildcard":        {`{"name":"a","domains":["*.example.com"]}`, "domains[0]"},
		"a wrong key type":  {`{"name":"a","domains":["a.example.com"],"key_type":"dsa"}`, "key_type"},
		"a wrong name":      {`{"name":"../a","domains":["a.example.com"]}`, "name"},
		"an unknown field":  {`{"name":"a","domains":["a.example.com"],"hook":"x"}`, "hook"},
		"a hook for a name": {`{"name":"a","domains":["--deploy-hook=x.example.com"]}`, "domains[0]"},
	} {
		t.Run(name, func(t *testing.T) { wantField(t, c.text, c.field) })
	}
	for _, email := range []string{
		"admin", "@example.com", "a@", "a@localhost", "a@b@example.com", "Ops <ops@example.com>", "<ops@example.com>", `"a b"@example.com`,
		"a@[192.0.2.1]", "a@192.0.2.1", "-m@example.com", "a..b@example.com", ".a@example.com", "a.@example.com", "a@example.com\n",
		"a@example.com,b@example.com", "ä@example.com", "a(b)@example.com", strings.Repeat("a", 65) + "@example.com", "a@*.example.com",
	} {
		t.Run("the email "+email, func(t *testing.T) {
			b, _ := json.Marshal(resources.CertificateFields{Name: "a", Domains: []string{"a.example.com"}, Email: email})
			wantField(t, string(b), "email")
		})
	}
}

func wantField(t *testing.T, text, field string) {
	t.Helper()
	is := is.New(t)
	_, err := resources.ParseCertificate([]byte(text))
	var fe *resources.FieldError
	is.True(errors.As(err, &fe))
	is.Equal(fe.Field, field)
}
