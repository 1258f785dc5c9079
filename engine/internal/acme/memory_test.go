package acme

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func TestFailuresAreRememberedAcrossRestartsUntilTheyAreOver(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "certificates.json")
	restarted := func() *Memory { return NewMemory(host.OS{}, file, false, slog.New(slog.DiscardHandler)) }
	berlin := time.FixedZone("", 3600)

	is.Equal(len(restarted().Attempts()), 0) // nothing is there yet
	is.True(restarted().Last() == nil)

	is.NoErr(restarted().Obtained("issue_certificate", "fpai-shop", newYear.In(berlin), &Failure{Reason: DNS, Sentence: "no such name"}))
	is.NoErr(restarted().Obtained("renew_certificate", "fpai-blog", newYear, &Failure{Reason: CAA, Sentence: "forbidden", Detail: "by a record"}))
	is.NoErr(restarted().Obtained("renew_certificate", "fpai-blog", newYear.Add(time.Minute), &Failure{Reason: CAA, Sentence: "forbidden", Detail: "by a record"}))
	is.Equal(restarted().Attempts(), map[string]Attempt{
		"fpai-shop": {Failures: 1, At: newYear, Reason: DNS, Error: "no such name", Next: newYear.Add(time.Minute), Asked: true},
		"fpai-blog": {Failures: 2, At: newYear.Add(time.Minute), Reason: CAA, Error: "forbidden: by a record", Next: newYear.Add(11 * time.Minute), Asked: true},
	})
	is.Equal(*restarted().Last(), Operation{Operation: "renew_certificate", Certificate: "fpai-blog", At: newYear.Add(time.Minute), Reason: CAA})

	is.NoErr(restarted().Obtained("issue_certificate", "fpai-shop", newYear, nil))
	is.Equal(len(restarted().Attempts()), 1) // a success ends it
	is.Equal(restarted().Last().Reason, Reason(""))

	is.NoErr(restarted().Deleted("delete_certificate", "fpai-blog", newYear, &Failure{Reason: Unknown}))
	is.Equal(len(restarted().Attempts()), 0) // nobody wants that one any more
	is.Equal(restarted().Last().Reason, Unknown)
}

func TestAMemoryThatIsDamagedIsBegunAnew(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "certificates.json")
	is.NoErr(os.WriteFile(file, []byte(`{"attempts": {"fpai-shop": {"failures": "many"}}}`), 0o600))
	var log bytes.Buffer
	m := NewMemory(host.OS{}, file, false, slog.New(slog.NewTextHandler(&log, nil)))
	is.Equal(len(m.Attempts()), 0)
	is.True(bytes.Contains(log.Bytes(), []byte("begun anew"))) // and said so
	is.NoErr(m.Obtained("issue_certificate", "fpai-shop", newYear, &Failure{Reason: DNS}))
	is.Equal(m.Attempts()["fpai-shop"].Failures, 1)
}

// What a version of the program before this one has written.
func TestTheFilesFormatIsKept(t *testing.T) {
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "certificates.json")
	const written = `{
	"attempts": {
		"fpai-shop": {
			"failures": 1,
			"at": "2026-01-01T00:00:00Z",
			"reason": "rate_limited",
			"error": "the CA allows no more for now",
			"next": "2026-01-01T01:00:00Z",
			"until": "2026-01-01T01:00:00Z",
			"asked": true
		}
	},
	"last": {
		"operation": "issue_certificate",
		"certificate": "fpai-shop",
		"at": "2026-01-01T00:00:00Z",
		"reason": "rate_limited"
	}
}
`
	m := NewMemory(host.OS{}, file, false, slog.New(slog.DiscardHandler))
	f := &Failure{Reason: RateLimited, Sentence: "the CA allows no more for now", RetryAt: newYear.Add(time.Hour)}
	is.NoErr(m.Obtained("issue_certificate", "fpai-shop", newYear, f))
	b, err := os.ReadFile(file)
	is.NoErr(err)
	is.Equal(string(b), written)
}
