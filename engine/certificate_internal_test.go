package engine

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestCertificatesAreDueByTheContractsRule(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name                   string
		lifetime, before, left time.Duration
	}{
		{"thirty days of ninety", 90 * day, 30 * day, 30 * day},
		{"a third of forty-five days", 45 * day, 30 * day, 15 * day},
		{"half of 160 hours", 160 * time.Hour, 30 * day, 80 * time.Hour},
		{"as late as the settings say", 90 * day, 10 * day, 10 * day},
		{"as late as the settings say, of a short one", 160 * time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			leaf := &x509.Certificate{NotBefore: start, NotAfter: start.Add(c.lifetime)}
			is.Equal(leaf.NotAfter.Sub(renewAt(leaf, c.before)), c.left)
		})
	}
}

func TestAYearOfFailuresAsksTheCAHardlyMoreThanOnceADay(t *testing.T) {
	is := is.New(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	end := now.AddDate(1, 0, 0)
	var a attempt
	var hour []time.Time // the attempts of the last hour
	asked := 0
	for ; now.Before(end); now = now.Add(time.Minute) { // somebody asks every minute
		if now.Before(a.allowed(false)) {
			continue
		}
		a = a.failed(now, "fpai-shop", &obtainError{Reason: reasonConnection})
		asked++
		hour = append(hour, now)
		for now.Sub(hour[0]) > time.Hour {
			hour = hour[1:]
		}
		is.True(len(hour) <= 5) // Let's Encrypt's limit of failures per name and hour
	}
	is.True(asked > 300 && asked <= 369) // asked every day, and not more
	is.Equal(a.Failures, asked)
	is.True(asked < 1152) // where Let's Encrypt pauses a name for good
}

func TestInsistingIsHeardAtTheRateAtWhichTheCAForgets(t *testing.T) {
	is := is.New(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var a attempt
	for range 5 {
		a = a.failed(now, "fpai-shop", &obtainError{Reason: reasonDNS})
	}
	is.True(a.allowed(false).Sub(now) >= 24*time.Hour)
	is.Equal(a.allowed(true).Sub(now), refill)

	limited := a.failed(now, "fpai-shop", &obtainError{Reason: reasonRateLimited, RetryAt: now.Add(48 * time.Hour)})
	is.Equal(limited.allowed(true).Sub(now), 48*time.Hour) // the CA's word is final

	local := attempt{}.failed(now, "fpai-shop", &obtainError{Reason: reasonDNS, local: true})
	is.True(!local.allowed(false).After(now))  // the CA was not asked, so a person may try again at once
	is.Equal(local.Next.Sub(now), time.Minute) // and the program does so by itself a little later
}

func TestCertbotsFailuresAreUnderstood(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	block := func(kind, detail string) string {
		return "Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:\n" +
			"  Domain: shop.example.com\n  Type:   " + kind + "\n  Detail: " + detail + "\n\nSome challenges have failed.\n"
	}
	for _, c := range []struct {
		name, output, log, reason string
		retry                     time.Duration
	}{
		{"Let's Encrypt's word for a missing name", block("dns", "DNS problem: NXDOMAIN looking up A for shop.example.com"), "", "dns", 0},
		{"Pebble's", block("connection", "lookup failed: could not resolve URL"), "", "dns", 0},
		{"a refused connection", block("connection", "192.0.2.1: Fetching http://…: Connection refused"), "", "connection", 0},
		{"another server", block("unauthorized", "Non-200 status code from HTTP: http://… returned 404"), "", "unauthorized", 0},
		{"a CAA record", block("caa", "CAA record for shop.example.com prevents issuance"), "", "caa", 0},
		{"the CA away", "An unexpected error occurred:\nValueError: Requesting 127.0.0.1/dir: Connection refused\nAsk for help\n", "", "ca_unreachable", 0},
		{"a CA that is not trusted", "An unexpected error occurred:\nrequests.exceptions.SSLError: … CERTIFICATE_VERIFY_FAILED …\n", "", "ca_unreachable", 0},
		{"another certbot", "Another instance of Certbot is already running.\n", "", "certbot_locked", 0},
		{"a bad address", "Unable to register an account with ACME server. The ACME server believes nonsense is an invalid email address.\n", "", "account", 0},
		{
			"a limit with its end", "An unexpected error occurred:\nToo many certificates already issued for this exact set of domains in the last 168h0m0s, retry after 2026-01-02 00:00:00 UTC: see …\n",
			"", "rate_limited", 24 * time.Hour,
		},
		{
			"a limit that certbot could not show", "An unexpected error occurred:\nAttributeError: can't set attribute\n",
			"2026:DEBUG:acme.client:Received response:\nHTTP 429\nServer: nginx\nRetry-After: 7200\nX: y\n\n{}\nacme.messages.Error: urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: too many new orders\n",
			"rate_limited", 2 * time.Hour,
		},
		{"a limit without a word of when", "", "acme.messages.Error: urn:ietf:params:acme:error:rateLimited :: a :: b\n", "rate_limited", time.Hour},
		{"a poll's Retry-After, which is none", block("dns", "no such host"), "HTTP 200\nRetry-After: 5\n\n{}\n", "dns", 0},
		{"something new", "An unexpected error occurred:\nFlux capacitor\x1b[31m empty\n", "", "unknown", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			f := classifyFailure(c.output, c.log, now)
			is.Equal(f.Reason, c.reason)
			var until time.Time
			if c.retry > 0 {
				until = now.Add(c.retry)
			}
			is.Equal(f.RetryAt, until)
			e := f.failure("fpai-shop", now)
			is.Equal(e.Code == SSLRateLimited, c.reason == "rate_limited")
			is.Equal(e.Details["reason"], c.reason)
		})
	}
}

func TestThePreflightBlamesTheDNSOnlyWhereItIsSure(t *testing.T) {
	is := is.New(t)
	p := probeHTTP{domain: "shop.example.com", path: "/x", want: "y"}
	lookup := func(addrs []string, err error) func(context.Context, string) ([]string, error) {
		return func(context.Context, string) ([]string, error) { return addrs, err }
	}
	ctx := context.Background()
	is.Equal(p.ownAddress(ctx, lookup(nil, &net.DNSError{Err: "no such host", IsNotFound: true})).Reason, "dns")
	is.True(p.ownAddress(ctx, lookup(nil, &net.DNSError{Err: "timeout", IsTimeout: true})) == nil) // the CA may know better
	is.True(p.ownAddress(ctx, lookup(nil, errors.New("?"))) == nil)

	for dir, public := range map[string]bool{"127.0.0.1": false, "10.0.0.7": false, "8.8.8.8": true} {
		e, err := Open(Options{ACMEDirectoryURL: "https://ca.example.com/dir", LookupHost: lookup([]string{dir}, nil)})
		is.NoErr(err)
		is.Equal(e.publicCA(ctx), public) // dir
	}
}

func TestCertbotsArgumentsCannotBecomeOthers(t *testing.T) {
	is := is.New(t)
	e, err := Open(Options{ACMEDirectoryURL: "https://ca.example.com/dir"})
	is.NoErr(err)
	for _, arg := range e.issueArgs(certificateSpec{Lineage: "fpai-shop", Domains: []string{"--deploy-hook=x"}, Email: "-m", KeyType: "ecdsa"}) {
		is.True(arg == "--webroot" || arg == "--agree-tos" || arg == "--no-eff-email" || arg == "--force-renewal" ||
			arg == "--renew-with-new-domains" || len(arg) > 3 && arg[:2] == "--" && arg[2] != '-') // a flag of ours, with its value behind it
	}
}

func TestOnlyLineagesWithOurWebrootAreOurs(t *testing.T) {
	is := is.New(t)
	conf := "version = 2.1.0\n[renewalparams]\nauthenticator = webroot\nwebroot_path = /var/lib/proxy-manager/acme,\n[[webroot_map]]\na = /x\n"
	is.True(usesWebroot([]byte(conf), "/var/lib/proxy-manager/acme"))
	is.True(!usesWebroot([]byte(conf), "/srv/www"))
	is.True(!usesWebroot([]byte("authenticator = dns-ovh\n"), "/var/lib/proxy-manager/acme"))
}
