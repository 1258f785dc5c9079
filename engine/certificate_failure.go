package engine

import (
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
)

// Why a certificate could not be had, or not be deleted, in the codes of the contract.

// notIssued is the error of an attempt that failed.
func notIssued(lineage string, f *acme.Failure, now time.Time) *Error {
	if f.Reason == acme.RateLimited {
		return withReason(failf(SSLRateLimited, f, "%s", lineage), f.Reason).with("retry_after", secondsUntil(f.RetryAt, now))
	}
	return withReason(failf(SSLIssuanceFailed, f, "%s", lineage), f.Reason)
}

// tooEarly is the error of an attempt that is not made, since its time has not come. What was wrong then may be mended now, so
// it is told as what it is: the past.
func tooEarly(lineage string, a acme.Attempt, until, now time.Time) *Error {
	at, then := until.UTC().Format(time.RFC3339), a.At.UTC().Format(time.RFC3339)
	e := failf(SSLRateLimited, nil, "%s is not tried again by itself before %s, so that the CA's limits are kept: it failed %s, last at %s (%s)", lineage, at, times(a.Failures), then, a.Error)
	if until.Equal(a.Until) {
		e = failf(SSLRateLimited, nil, "the CA has said that %s may be asked for again at %s; it was not asked now. Its answer came at %s (%s)", lineage, at, then, a.Error)
	}
	return withReason(e, acme.RateLimited).with("retry_after", secondsUntil(until, now))
}

// stoppedIssuing is the error of an attempt that its caller gave up. Nobody failed, so nothing is remembered of it.
func stoppedIssuing(lineage string, cause error) *Error {
	return withReason(failf(SSLIssuanceFailed, cause, "%s: stopped", lineage), "stopped")
}

// notDeleted is the error of a certificate that could not be deleted.
func notDeleted(lineage string, f *acme.Failure) *Error {
	return withReason(failf(ConfigDeleteFailed, f, "certificate %s is not used any more, but could not be deleted", lineage), f.Reason)
}

func withReason(e *Error, r acme.Reason) *Error { return e.with("reason", string(r)) }

// secondsUntil is a Retry-After (RFC 9110, section 10.2.3): whole seconds, at least one.
func secondsUntil(t, now time.Time) int {
	return max(1, int((t.Sub(now)+time.Second-1)/time.Second))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}
