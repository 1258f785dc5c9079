package resources_test

import (
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestOnlyAnUpstreamWithANameHasToProveIt(t *testing.T) {
	is := is.New(t)
	s := resources.Settings{UpstreamCAFile: "/etc/ssl/ca.pem"}
	named := resources.Upstream{Scheme: "https", Host: "app.internal", Port: 443}
	is.True(s.Verifies(named))
	is.Equal(named.ServerName(), "app.internal")
	for _, host := range []string{"localhost", "10.0.0.7", "2001:db8::7"} {
		is.True(!s.Verifies(resources.Upstream{Scheme: "https", Host: host}))
	}
	is.Equal(resources.Upstream{Host: "10.0.0.7"}.ServerName(), "")
	is.Equal(resources.Upstream{Host: "localhost"}.ServerName(), "localhost")
	named.Scheme = "http"
	is.True(!s.Verifies(named))
	named.Scheme, s.UpstreamCAFile = "https", ""
	is.True(!s.Verifies(named)) // nothing to verify it by
}
