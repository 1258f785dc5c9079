package desiredstate

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestEveryFileIsADesiredStateThatNginxAccepts(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %v: %v", files, err)
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			lab := enginetest.Start(t, enginetest.Options{})
			eng, err := engine.Open(lab.EngineOptions())
			is.NoErr(err)
			text, err := os.ReadFile(name)
			is.NoErr(err)
			desired, err := resources.ParseDesired(text)
			is.NoErr(err)

			req := engine.Desired(withoutUpstreams(t, desired))
			req.Issue = false // nobody answers for these domains here
			result, err := eng.Do(t.Context(), req)
			is.NoErr(err)
			is.Equal(result.Plan.Summary.Create, len(desired.Routes)+2) // and the files that routes share

			again, err := eng.Plan(t.Context(), req)
			is.NoErr(err)
			is.True(again.Empty())
		})
	}
}

// withoutUpstreams has nobody wait for services that do not run here.
func withoutUpstreams(t *testing.T, d resources.Desired) resources.Desired {
	for i, r := range d.Routes {
		f := r.Fields()
		f.RequireHealthy = new(false)
		var err error
		if d.Routes[i], err = resources.NewRoute(f); err != nil {
			t.Fatal(err)
		}
	}
	return d
}
