package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/matryer/is"
)

func TestFailuresOfCertificatesHaveTheContractsCodes(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	limited := &acme.Failure{Reason: acme.RateLimited, Sentence: "the CA allows no more for now", RetryAt: now.Add(1500 * time.Millisecond)}
	for _, c := range []struct {
		name, text string
		err        *Error
		code       Code
		details    map[string]any
	}{
		{
			"it could not be had", "fpai-shop: add a record: NXDOMAIN",
			notIssued("fpai-shop", &acme.Failure{Reason: acme.DNS, Sentence: "add a record", Detail: "NXDOMAIN"}, now),
			SSLIssuanceFailed, map[string]any{"reason": "dns"},
		},
		{
			"the CA allows no more", "fpai-shop: the CA allows no more for now",
			notIssued("fpai-shop", limited, now),
			SSLRateLimited, map[string]any{"reason": "rate_limited", "retry_after": 2},
		},
		{
			"it is too early for the program itself", "fpai-shop is not tried again by itself before 2026-01-01T00:01:00Z, so that the CA's limits are kept: it failed 2 times in a row, last at 2025-12-31T23:59:00Z (forbidden)",
			tooEarly("fpai-shop", acme.Attempt{Failures: 2, At: now.Add(-time.Minute), Reason: acme.CAA, Error: "forbidden"}, now.Add(time.Minute), now),
			SSLRateLimited, map[string]any{"reason": "rate_limited", "retry_after": 60},
		},
		{
			"it is too early by the CA's own word", "the CA has said that fpai-shop may be asked for again at 2026-01-01T00:01:00Z; it was not asked now. Its answer came at 2025-12-31T23:59:00Z (no more)",
			tooEarly("fpai-shop", acme.Attempt{Failures: 1, At: now.Add(-time.Minute), Error: "no more", Until: now.Add(time.Minute)}, now.Add(time.Minute), now),
			SSLRateLimited, map[string]any{"reason": "rate_limited", "retry_after": 60},
		},
		{
			"it was given up", "fpai-shop: stopped: enough",
			stoppedIssuing("fpai-shop", errors.New("enough")),
			SSLIssuanceFailed, map[string]any{"reason": "stopped"},
		},
		{
			"it could not be deleted", "certificate fpai-shop is not used any more, but could not be deleted: busy",
			notDeleted("fpai-shop", &acme.Failure{Reason: "certbot_locked", Sentence: "busy"}),
			ConfigDeleteFailed, map[string]any{"reason": "certbot_locked"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(c.err.Code, c.code)
			is.Equal(c.err.Details, c.details)
			is.Equal(c.err.Error(), c.text)
		})
	}
}

func TestCertbotsFilesThatCannotBeReadAreAReadThatFailed(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.MkdirAll(filepath.Join(dir, "live", "fpai-shop", "fullchain.pem"), 0o755)) // a folder
	is.NoErr(os.WriteFile(filepath.Join(dir, "renewal"), nil, 0o600))                      // no folder
	e, err := Open(Options{Certbot: CertbotOptions{ConfigDir: dir}, State: StateOptions{Dir: dir}})
	is.NoErr(err)
	_, err = e.lineage(e.observer(), "fpai-shop")
	is.Equal(CodeOf(err), ConfigReadFailed)
	_, err = e.lineageNames(e.observer(), "")
	is.Equal(CodeOf(err), ConfigReadFailed)
}
