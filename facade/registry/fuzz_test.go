package registry

import (
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// Whatever the Registry answers, every record becomes a route that is valid, or is skipped by a name and for a reason.
func FuzzRegistryAnswer(f *testing.F) {
	for _, seed := range []string{
		`[{"name":"a","host":"h","port":1,"domain":"a.b","status":"active"}]`,
		`{"droplets":[{"id":1,"name":"a","endpoint":"http://h:1","status":"active","metadata":{"domain":"a.b"}}],"total":1}`,
		`{"droplets":null}`, `[null,1,"x",[],{}]`, `[{"name":"a","endpoint":"http://[::1"}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		droplets, skipped, err := parseDroplets(b)
		if err != nil && engine.CodeOf(err) != engine.RegistryUnavailable {
			t.Fatal(err)
		}
		for _, s := range skipped {
			if s.Name == "" || s.Reason == "" || len(s.Name) > 80 || len(s.Reason) > 300 {
				t.Fatalf("%+v", s)
			}
		}
		y := &Sync{}
		if routes := y.candidates(droplets, nil); len(routes)+len(y.Skipped) != len(droplets) {
			t.Fatal("a droplet got lost")
		}
	})
}
