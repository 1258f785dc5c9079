package cli_test

import (
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/cli"
	"github.com/matryer/is"
)

// A brokenWriter panics, as a bug in a command would.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { panic("a bug") }

func TestAPanicExitsWith1AndTellsWhereItWas(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var stderr strings.Builder
	code := cli.Main([]string{"proxy-manager", "schema"}, cli.Streams{
		In: strings.NewReader(""), Out: brokenWriter{}, Err: &stderr, Getenv: func(string) string { return "" },
	})
	is.Equal(code, 1) // not Go's own 2, which would mean that changes are planned
	for _, says := range []string{"panic: a bug", "INTERNAL", "proxy-manager recover", "brokenWriter.Write"} {
		if !strings.Contains(stderr.String(), says) {
			t.Errorf("nothing said of %q:\n%s", says, stderr.String())
		}
	}
}
