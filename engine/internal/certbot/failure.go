package certbot

import (
	"regexp"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
)

// The reasons that are certbot's own troubles, and no CA's.
const (
	missing acme.Reason = "certbot_missing"
	tooOld  acme.Reason = "certbot_too_old"
	locked  acme.Reason = "certbot_locked" // another certbot is at work
)

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
	reason   acme.Reason
	words    []string // any of them, in lower case
	sentence string
}

var shapes = []shape{
	{locked, []string{"another instance of certbot is already running"}, "another certbot is at work on the same directories; try again when it has ended"},
	{acme.RateLimited, []string{"ratelimited", "too many requests", "too many certificates", "too many failed authorizations", "too many new orders", "too many registrations"}, "the CA allows no more for now"},
	{acme.CAA, []string{"error:caa", "caa record"}, "a CAA record of the domain does not allow this CA: add one that does, or remove it"},
	{acme.Rejected, []string{"rejectedidentifier", "policy forbids", "forbidden by policy", "unsupportedidentifier"}, "the CA does not issue certificates for such a name"},
	{acme.Account, []string{"unable to register an account", "accountdoesnotexist", "no account exists", "account is not valid", "account has been deactivated", "please choose an account", "invalidcontact", "invalid email"}, "the CA does not accept the account: check the email address (DEFAULT_SSL_EMAIL), and certbot's accounts"},
	{acme.Unreachable, []string{"connection refused", "max retries exceeded", "certificate_verify_failed", "name or service not known", "name resolution", "network is unreachable", "connection reset", "remote end closed", "read timed out", "connect timeout", "service unavailable", "serverinternal", "http 50", "no route to host"}, "the CA can't be reached (ACME_DIRECTORY_URL); it is asked again later"},
}

// classify finds out from certbot's output why it failed. log is what it wrote to its log file meanwhile.
func classify(output, log string, now time.Time) *acme.Failure {
	f := ofChallenge(output)
	if f == nil {
		f = ofProblem(log)
	}
	if f == nil {
		f = ofText(output)
	}
	f.RetryAt = retryAt(output, log, now)
	if f.Reason == acme.RateLimited && f.RetryAt.IsZero() {
		f.RetryAt = now.Add(time.Hour) // the shortest of Let's Encrypt's windows
	}
	f.Local = f.Reason == locked
	return f
}

// ofChallenge reads what the CA says of the names whose challenge failed; nil where it says nothing.
func ofChallenge(output string) *acme.Failure {
	m := challengeBlock.FindStringSubmatch(output)
	if m == nil {
		return nil
	}
	domain, kind, detail := m[1], m[2], m[3]
	f := &acme.Failure{Detail: plain.Line(detail)}
	lower := strings.ToLower(detail)
	switch {
	// Let's Encrypt has a type for it; Pebble calls it a failed connection.
	case kind == "dns", strings.Contains(lower, "could not resolve"), strings.Contains(lower, "dns problem"), strings.Contains(lower, "no such host"):
		f.Reason, f.Sentence = acme.DNS, domain+" does not resolve for the CA: make its DNS records point to this host"
	case kind == "connection":
		f.Reason, f.Sentence = acme.Connection, domain+" does not answer the CA on port 80: check that its DNS records point to this host, and the firewall"
	case kind == "caa":
		f.Reason, f.Sentence = acme.CAA, "a CAA record of "+domain+" does not allow this CA: add one that does, or remove it"
	case kind == "rateLimited":
		f.Reason, f.Sentence = acme.RateLimited, "the CA allows no more for "+domain+" for now"
	case kind == "unauthorized", kind == "incorrectResponse":
		f.Reason, f.Sentence = acme.Unauthorized, domain+" was answered by somebody else, or from somewhere else: its DNS records must point to this host alone"
	default:
		f.Reason, f.Sentence = acme.Unknown, "the CA did not accept the challenge for "+domain
	}
	return f
}

// ofProblem reads the CA's own error from certbot's log; nil where there is none. certbot 2.1 on Python 3.11 loses it
// on the way to the terminal, and says "AttributeError: can't set attribute" instead.
func ofProblem(log string) *acme.Failure {
	m := problemLine.FindStringSubmatch(log)
	if m == nil {
		return nil
	}
	f := &acme.Failure{Reason: acme.ReasonOf(m[1]), Sentence: "the CA refuses", Detail: plain.Line(m[2])}
	for _, s := range shapes {
		if s.reason == f.Reason {
			f.Sentence = s.sentence
		}
	}
	return f
}

func ofText(output string) *acme.Failure {
	lower := strings.ToLower(output)
	for _, s := range shapes {
		for _, w := range s.words {
			if strings.Contains(lower, w) {
				return &acme.Failure{Reason: s.reason, Sentence: s.sentence, Detail: complaint(output)}
			}
		}
	}
	return &acme.Failure{Reason: acme.Unknown, Sentence: "certbot failed", Detail: complaint(output)}
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
			return plain.Line(line) // the first line after the announcement
		}
		last = line
	}
	return plain.Line(last)
}
