package certbot

import (
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/matryer/is"
)

func TestCertbotsFailuresAreUnderstood(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	block := func(kind, detail string) string {
		return "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n" +
			"  Domain: shop.example.com\n  Type:   " + kind + "\n  Detail: " + detail + "\n\nSome challenges have failed.\n"
	}
	unexpected := func(line string) string {
		return "Saving debug log to /x\nAn unexpected error occurred:\n" + line + "\nAsk for help or search for solutions at https://community.letsencrypt.org.\n"
	}
	for _, c := range []struct {
		name, output, log string
		reason            acme.Reason
		detail            string
		retry             time.Duration
	}{
		{"Let's Encrypt's word for a missing name", block("dns", "DNS problem: NXDOMAIN looking up A for shop.example.com"), "", acme.DNS, "DNS problem: NXDOMAIN looking up A for shop.example.com", 0},
		{"Pebble's", block("connection", "lookup failed: could not resolve URL"), "", acme.DNS, "lookup failed: could not resolve URL", 0},
		{"a refused connection", block("connection", "192.0.2.1: Fetching http://…: Connection refused"), "", acme.Connection, "192.0.2.1: Fetching http://…: Connection refused", 0},
		{"another server", block("unauthorized", "Non-200 status code from HTTP: http://… returned 404"), "", acme.Unauthorized, "Non-200 status code from HTTP: http://… returned 404", 0},
		{"a wrong answer", block("incorrectResponse", "another text"), "", acme.Unauthorized, "another text", 0},
		{"a CAA record", block("caa", "CAA record for shop.example.com prevents issuance"), "", acme.CAA, "CAA record for shop.example.com prevents issuance", 0},
		{"a limit of one name", block("rateLimited", "too many failures"), "", acme.RateLimited, "too many failures", time.Hour},
		{"a challenge that failed in a new way", block("onionCAA", "what?"), "", acme.Unknown, "what?", 0},
		{"the CA away", unexpected("ValueError: Requesting 127.0.0.1/dir: Connection refused"), "", acme.Unreachable, "ValueError: Requesting 127.0.0.1/dir: Connection refused", 0},
		{"a CA that is not trusted", unexpected("requests.exceptions.SSLError: … CERTIFICATE_VERIFY_FAILED …"), "", acme.Unreachable, "requests.exceptions.SSLError: … CERTIFICATE_VERIFY_FAILED …", 0},
		{"a name of which the CA wants nothing to know", unexpected("The server will not issue certificates for the identifier :: policy forbids"), "", acme.Rejected, "The server will not issue certificates for the identifier :: policy forbids", 0},
		{"another certbot", "Another instance of Certbot is already running.\n", "", locked, "Another instance of Certbot is already running", 0},
		{"a bad address", "Unable to register an account with ACME server. The ACME server believes nonsense is an invalid email address.\n", "", acme.Account, "Unable to register an account with ACME server. The ACME server believes nonsense is an invalid email address", 0},
		{
			"a limit with its end", unexpected("Too many certificates already issued for this exact set of domains in the last 168h0m0s, retry after 2026-01-02 00:00:00 UTC: see …"), "",
			acme.RateLimited, "Too many certificates already issued for this exact set of domains in the last 168h0m0s, retry after 2026-01-02 00:00:00 UTC: see …", 24 * time.Hour,
		},
		{"a limit with its end as RFC 3339 has it", unexpected("too many new orders, retry after 2026-01-01T06:00:00Z"), "", acme.RateLimited, "too many new orders, retry after 2026-01-01T06:00:00Z", 6 * time.Hour},
		{
			"a limit that certbot could not show", unexpected("AttributeError: can't set attribute"),
			"2026:DEBUG:acme.client:Received response:\nHTTP 429\nServer: nginx\nRetry-After: 7200\nX: y\n\n{}\nacme.messages.Error: urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: too many new orders\n",
			acme.RateLimited, "There were too many requests of a given type :: too many new orders", 2 * time.Hour,
		},
		{"a refusal that certbot could not show", unexpected("AttributeError: can't set attribute"), "acme.messages.Error: urn:ietf:params:acme:error:badNonce :: stale :: nonce\n", acme.Unknown, "stale :: nonce", 0},
		{"a limit without a word of when", "", "acme.messages.Error: urn:ietf:params:acme:error:rateLimited :: a :: b\n", acme.RateLimited, "a :: b", time.Hour},
		{"a poll's Retry-After, which is none", block("dns", "no such host"), "HTTP 200\nRetry-After: 5\n\n{}\n", acme.DNS, "no such host", 0},
		{"a Retry-After beyond all reason", block("rateLimited", "x"), "HTTP 429\nRetry-After: 99999999\n\n{}\n", acme.RateLimited, "x", time.Hour},
		{"something new", unexpected("Flux capacitor\x1b[31m empty"), "", acme.Unknown, "Flux capacitor [31m empty", 0},
		{"not a word", "", "", acme.Unknown, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			f := classify(c.output, c.log, now)
			is.Equal(f.Reason, c.reason)
			is.Equal(f.Detail, c.detail)
			var until time.Time
			if c.retry > 0 {
				until = now.Add(c.retry)
			}
			is.Equal(f.RetryAt, until)
			is.True(f.Sentence != "")
			is.Equal(f.Local, c.reason == locked) // then the CA was not asked
		})
	}
}
