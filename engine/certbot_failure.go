package engine

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// The reasons why a certificate could not be had, as details.reason has them.
const (
	reasonDNS          = "dns"            // a name does not resolve, or not to this host
	reasonConnection   = "connection"     // nobody answers at the name's address
	reasonUnauthorized = "unauthorized"   // somebody else answers there, or with something else
	reasonCAA          = "caa"            // the domain's CAA records forbid this CA
	reasonRejected     = "rejected"       // the CA does not issue for such a name
	reasonRateLimited  = "rate_limited"   // the CA has had enough for now
	reasonAccount      = "account"        // the CA does not accept the account or its address
	reasonUnreachable  = "ca_unreachable" // the CA does not answer, or not as a CA
	reasonMissing      = "certbot_missing"
	reasonTooOld       = "certbot_too_old"
	reasonLocked       = "certbot_locked" // another certbot is at work
	reasonTimeout      = "timeout"
	reasonUnknown      = "unknown"
)

// An obtainError says why a certificate could not be had.
type obtainError struct {
	Reason   string
	Sentence string // what to do about it
	Detail   string // in the words of certbot or the CA, one line
	RetryAt  time.Time
	local    bool // it was found without the CA
}

func (f *obtainError) Error() string {
	if f.Detail == "" {
		return f.Sentence
	}
	return f.Sentence + ": " + f.Detail
}

// asked reports whether the CA was asked, or tried to be.
func (f *obtainError) asked() bool { return !f.local }

// The shapes below are those of certbot 2.1 with Pebble and Let's Encrypt. Its exit code is 1 whatever happened, so only
// its words tell why; what is not recognized is passed on in certbot's own.
var (
	challengeBlock = regexp.MustCompile(`(?m)^\s*(?:Domain|Identifier): (\S+)\n\s*Type:\s+(\S+)\n\s*Detail: (.*)$`)
	problemLine    = regexp.MustCompile(`(?m)^acme\.messages\.Error: urn:ietf:params:acme:error:(\w+) :: (.*)$`)
	retryAfterText = regexp.MustCompile(`(?i)retry after (\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)`)
	retryAfterLog  = regexp.MustCompile(`(?m)^HTTP (?:429|503)\n(?:\S.*\n)*?Retry-After: (\d+)$`)
)

// A shape is a piece of certbot's output by which a kind of failure is known.
type shape struct {
	reason   string
	words    []string // any of them, in lower case
	sentence string
}

var shapes = []shape{
	{reasonLocked, []string{"another instance of certbot is already running"}, "another certbot is at work on the same directories; try again when it has ended"},
	{reasonRateLimited, []string{"ratelimited", "too many requests", "too many certificates", "too many failed authorizations", "too many new orders", "too many registrations"}, "the CA allows no more for now"},
	{reasonCAA, []string{"error:caa", "caa record"}, "a CAA record of the domain does not allow this CA: add one that does, or remove it"},
	{reasonRejected, []string{"rejectedidentifier", "policy forbids", "forbidden by policy", "unsupportedidentifier"}, "the CA does not issue certificates for such a name"},
	{reasonAccount, []string{"unable to register an account", "accountdoesnotexist", "no account exists", "account is not valid", "account has been deactivated", "please choose an account", "invalidcontact", "invalid email"}, "the CA does not accept the account: check the email address (DEFAULT_SSL_EMAIL), and certbot's accounts"},
	{reasonUnreachable, []string{"connection refused", "max retries exceeded", "certificate_verify_failed", "name or service not known", "name resolution", "network is unreachable", "connection reset", "remote end closed", "read timed out", "connect timeout", "service unavailable", "serverinternal", "http 50", "no route to host"}, "the CA can't be reached (ACME_DIRECTORY_URL); it is asked again later"},
}

// classifyFailure finds out from certbot's output why it failed. log is what it wrote to its log file meanwhile.
func classifyFailure(output, log string, now time.Time) *obtainError {
	f := classifyChallenge(output)
	if f == nil {
		f = classifyProblem(log)
	}
	if f == nil {
		f = classifyText(output)
	}
	f.RetryAt = retryAt(output, log, now)
	if f.Reason == reasonRateLimited && f.RetryAt.IsZero() {
		f.RetryAt = now.Add(time.Hour) // the shortest of Let's Encrypt's windows
	}
	f.local = f.Reason == reasonLocked
	return f
}

// classifyChallenge reads what the CA says of the names whose challenge failed; nil where it says nothing.
func classifyChallenge(output string) *obtainError {
	m := challengeBlock.FindStringSubmatch(output)
	if m == nil {
		return nil
	}
	domain, kind, detail := m[1], m[2], m[3]
	f := &obtainError{Detail: oneLine(detail)}
	lower := strings.ToLower(detail)
	switch {
	// Let's Encrypt has a type for it; Pebble calls it a failed connection.
	case kind == "dns", strings.Contains(lower, "could not resolve"), strings.Contains(lower, "dns problem"), strings.Contains(lower, "no such host"):
		f.Reason, f.Sentence = reasonDNS, domain+" does not resolve for the CA: make its DNS records point to this host"
	case kind == "connection":
		f.Reason, f.Sentence = reasonConnection, domain+" does not answer the CA on port 80: check that its DNS records point to this host, and the firewall"
	case kind == "caa":
		f.Reason, f.Sentence = reasonCAA, "a CAA record of "+domain+" does not allow this CA: add one that does, or remove it"
	case kind == "rateLimited":
		f.Reason, f.Sentence = reasonRateLimited, "the CA allows no more for "+domain+" for now"
	case kind == "unauthorized", kind == "incorrectResponse":
		f.Reason, f.Sentence = reasonUnauthorized, domain+" was answered by somebody else, or from somewhere else: its DNS records must point to this host alone"
	default:
		f.Reason, f.Sentence = reasonUnknown, "the CA did not accept the challenge for "+domain
	}
	return f
}

// problems are the error types of RFC 8555, section 6.7, by the reason they come to here.
var problems = map[string]string{
	"rateLimited":        reasonRateLimited,
	"rejectedIdentifier": reasonRejected, "unsupportedIdentifier": reasonRejected,
	"caa": reasonCAA, "dns": reasonDNS, "connection": reasonConnection,
	"accountDoesNotExist": reasonAccount, "invalidContact": reasonAccount, "unsupportedContact": reasonAccount,
	"externalAccountRequired": reasonAccount, "userActionRequired": reasonAccount, "unauthorized": reasonAccount,
	"serverInternal": reasonUnreachable,
}

// classifyProblem reads the CA's own error from certbot's log; nil where there is none. certbot 2.1 on Python 3.11 loses it
// on the way to the terminal, and says "AttributeError: can't set attribute" instead.
func classifyProblem(log string) *obtainError {
	m := problemLine.FindStringSubmatch(log)
	if m == nil {
		return nil
	}
	f := &obtainError{Reason: cmp.Or(problems[m[1]], reasonUnknown), Sentence: "the CA refuses", Detail: oneLine(m[2])}
	for _, s := range shapes {
		if s.reason == f.Reason {
			f.Sentence = s.sentence
		}
	}
	return f
}

func classifyText(output string) *obtainError {
	lower := strings.ToLower(output)
	for _, s := range shapes {
		for _, w := range s.words {
			if strings.Contains(lower, w) {
				return &obtainError{Reason: s.reason, Sentence: s.sentence, Detail: complaint(output)}
			}
		}
	}
	return &obtainError{Reason: reasonUnknown, Sentence: "certbot failed", Detail: complaint(output)}
}

// retryAt returns when the CA is ready to be asked again, if it said so: in its words, or in the header of a refusal.
func retryAt(output, log string, now time.Time) time.Time {
	if m := retryAfterText.FindStringSubmatch(output + log); m != nil {
		if t, err := time.Parse("2006-01-02 15:04:05", strings.Replace(m[1], "T", " ", 1)); err == nil {
			return t
		}
	}
	if m := retryAfterLog.FindStringSubmatch(log); m != nil {
		if d, err := time.ParseDuration(m[1] + "s"); err == nil && d > 0 && d < 30*24*time.Hour {
			return now.Add(d)
		}
	}
	return time.Time{}
}

// complaint is the line of certbot's output that says most.
func complaint(output string) string {
	_, after, ok := strings.Cut(output, "An unexpected error occurred:\n")
	if ok {
		output = after
	}
	var last string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", strings.HasPrefix(line, "Ask for help"), strings.HasPrefix(line, "Saving debug log"), strings.HasPrefix(line, "- - -"):
			continue
		case ok:
			return oneLine(line) // the first line after the announcement
		}
		last = line
	}
	return oneLine(last)
}

// oneLine makes foreign text fit for a message: one line, printable, bounded.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if runes := []rune(s); len(runes) > 300 {
		s = string(runes[:300]) + "…"
	}
	return strings.TrimRight(s, ".")
}

// failure is the error that callers get, with the code of the contract.
func (f *obtainError) failure(lineage string, now time.Time) *Error {
	if f.Reason == reasonRateLimited {
		e := failf(SSLRateLimited, f, "%s", lineage).with("reason", f.Reason)
		return e.with("retry_after", secondsUntil(f.RetryAt, now))
	}
	return failf(SSLIssuanceFailed, f, "%s", cmp.Or(lineage, "certificate")).with("reason", f.Reason)
}

// secondsUntil is a Retry-After (RFC 9110, section 10.2.3): whole seconds, at least one.
func secondsUntil(t, now time.Time) int {
	return max(1, int((t.Sub(now)+time.Second-1)/time.Second))
}

// waiting is the error of somebody who asks before the time has come.
func (a attempt) waiting(lineage string, until, now time.Time) *Error {
	e := failf(SSLRateLimited, nil, "%s failed %s and is not asked for again before %s, so that the CA's limits are kept: %s",
		lineage, times(a.Failures), until.UTC().Format(time.RFC3339), a.Error)
	return e.with("reason", a.Reason).with("retry_after", secondsUntil(until, now))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}
