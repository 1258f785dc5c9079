package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

const day = 24 * time.Hour

func TestADeletedHTTPSRouteIsRolledBackByteForByte(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	_, err := h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
	before, serial := h.Tree(), h.leaf("shop.example.test").SerialNumber

	for name, remove := range map[string]engine.Request{"by its name": engine.Delete("shop"), "with all others": engine.Destroy()} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			res, err := h.Do(t.Context(), remove)
			is.NoErr(err)
			is.True(!strings.Contains(kinds(res.Plan), plan.DeleteCertificate))
			_, err = h.Do(t.Context(), engine.Rollback(res.ID))
			is.NoErr(err)
			is.Equal(h.Tree(), before)
			is.Equal(h.leaf("shop.example.test").SerialNumber, serial)
		})
	}
}

func TestACertificateIsKeptAsLongAsARollbackMayNeedIt(t *testing.T) {
	now := time.Now()
	is, h := begin(t, enginetest.Options{ACME: true}, func(o *engine.Options) {
		o.Clock, o.State.Keep = func() time.Time { return now }, 10*day
	})
	_, err := h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
	kept := func() bool { return len(h.lineages("live")) == 1 }

	res, err := h.Do(t.Context(), engine.Delete("shop"))
	is.NoErr(err)
	now = now.Add(9 * day)
	_, err = h.Do(t.Context(), engine.Rollback(res.ID)) // used again: from here on it counts anew
	is.NoErr(err)
	_, err = h.Do(t.Context(), engine.Delete("shop"))
	is.NoErr(err)
	now = now.Add(9 * day)
	for _, req := range []engine.Request{engine.Destroy(), engine.RenewDue()} {
		p, err := h.Plan(t.Context(), req)
		is.NoErr(err)
		is.True(p.Empty())
		_, err = h.Do(t.Context(), req)
		is.NoErr(err)
		is.True(kept())
	}

	now = now.Add(2 * day)
	before := h.Tree()
	p, err := h.Plan(t.Context(), engine.RenewDue())
	is.NoErr(err)
	is.Equal(kinds(p), plan.DeleteCertificate)
	is.Equal(h.Tree(), before) // planning changes nothing
	is.True(kept())
	_, err = h.Apply(t.Context(), p)
	is.NoErr(err)
	is.True(!kept())
	p, err = h.Plan(t.Context(), engine.RenewDue())
	is.NoErr(err)
	is.True(p.Empty())
}

func TestACertificateThatIsListedAndWaitsForItsRouteIsNotTakenForUnused(t *testing.T) {
	now := time.Now()
	is, h := begin(t, enginetest.Options{ACME: true}, func(o *engine.Options) { o.Clock = func() time.Time { return now } })
	spare, err := resources.NewCertificate(resources.CertificateFields{Name: "spare", Domains: []string{"shop.example.test"}})
	is.NoErr(err)
	_, err = h.Do(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{h.route("shop")}, Certificates: []resources.Certificate{spare}}))
	is.NoErr(err)
	for range 2 {
		now = now.Add(8 * day)
		_, err = h.Do(t.Context(), engine.RenewDue())
		is.NoErr(err)
		is.Equal(h.lineages("live"), []string{"live/fpai-spare"})
	}
}

func TestMaintainDeletesWhatNothingUsesAnyMore(t *testing.T) {
	var ahead atomic.Int64 // how far the engine's clock is ahead
	is, h := begin(t, enginetest.Options{ACME: true}, func(o *engine.Options) {
		o.ACME.RenewInterval = 200 * time.Millisecond
		o.Clock = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	_, err := h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
	_, err = h.Do(t.Context(), engine.Delete("shop"))
	is.NoErr(err)
	ctx, stop := context.WithCancel(t.Context())
	var maintained sync.WaitGroup
	defer maintained.Wait()
	defer stop()
	maintained.Go(func() { h.Maintain(ctx, nil) })
	ahead.Store(int64(8 * day))
	enginetest.Until(t, time.Minute, "the certificate is deleted", func() bool { return len(h.lineages("live", "renewal")) == 0 })
}

func TestAMendedCauseIsTriedAgainAtOnceByWhoeverAsks(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	is.NoErr(h.DNS.Servfail("shop.example.test"))
	for range 3 {
		_, err := h.apply(h.httpsRoute("shop"))
		is.Equal(reason(err), "dns") // the present cause, of an attempt that was made
	}
	is.NoErr(h.DNS.Clear("shop.example.test"))
	res, err := h.Do(t.Context(), engine.RenewDue())
	is.NoErr(err)
	is.True(res.Plan.Empty()) // the service's own attempts wait
	_, err = h.Do(t.Context(), engine.SSL("shop", engine.SSLOptions{}))
	is.NoErr(err)
	h.leaf("shop.example.test")
}

func TestTheCAsOwnWordHoldsEverybody(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	_, err := h.Do(t.Context(), engine.Put(h.httpsRoute("shop")))
	is.NoErr(err)
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	is.NoErr(os.WriteFile(filepath.Join(h.StateDir, "certificates.json"), []byte(
		`{"attempts":{"fpai-shop":{"failures":1,"at":"2026-01-01T00:00:00Z","reason":"rate_limited","error":"no more","next":"`+until+`","until":"`+until+`","asked":true}}}`), 0o600))
	_, err = h.Do(t.Context(), engine.SSL("shop", engine.SSLOptions{Force: true}))
	is.True(errors.Is(err, code(engine.SSLRateLimited)))
	is.True(strings.Contains(err.Error(), "the CA has said"))
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
}

func TestAChangeOfCAIsAChangeOfTheCertificate(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	const staging = "https://staging.example.test/directory"
	fromStaging := func() {
		t.Helper()
		conf := filepath.Join(h.CertbotConfigDir, "renewal", "fpai-shop.conf")
		b, err := os.ReadFile(conf)
		is.NoErr(err)
		is.True(strings.Contains(string(b), "server = "+h.ACMEDirectoryURL))
		is.NoErr(os.WriteFile(conf, []byte(strings.Replace(string(b), "server = "+h.ACMEDirectoryURL, "server = "+staging, 1)), 0o600))
	}
	desired := engine.Desired(resources.Desired{Routes: []resources.Route{h.httpsRoute("shop")}})
	_, err := h.Do(t.Context(), desired)
	is.NoErr(err)
	for name, req := range map[string]engine.Request{
		"a whole state": desired, "ssl": engine.SSL("shop", engine.SSLOptions{}), "renew": engine.RenewDue(),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			fromStaging()
			serial := h.leaf("shop.example.test").SerialNumber
			p, err := h.Plan(t.Context(), engine.Put(h.httpsRoute("shop")))
			is.NoErr(err)
			is.True(p.Empty())
			is.True(strings.Contains(strings.Join(p.Warnings, "\n"), "its CA changes")) // where nothing may be obtained
			res, err := h.Do(t.Context(), req)
			is.NoErr(err)
			is.Equal(kinds(res.Plan), "renew_certificate test_config reload verify")
			is.Equal(res.Plan.Changes[0].Reason, "its CA changes: "+staging+" -> "+h.ACMEDirectoryURL)
			is.True(h.leaf("shop.example.test").SerialNumber.Cmp(serial) != 0)
			p, err = h.Plan(t.Context(), req)
			is.NoErr(err)
			is.True(p.Empty()) // once
		})
	}
}

// A certificate of another route's that would fit is no way out if it is from the old CA, too.
func TestAChangeOfCAIsNotAvoidedByAnotherCertificateOfTheOldOne(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	both, err := resources.NewCertificate(resources.CertificateFields{Name: "both", Domains: []string{"shop.example.test", "blog.example.test"}})
	is.NoErr(err)
	routes := []resources.Route{h.httpsRoute("shop"), h.httpsRoute("blog")}
	_, err = h.apply(routes[0])
	is.NoErr(err)
	_, err = h.Do(t.Context(), engine.Desired(resources.Desired{Routes: routes, Certificates: []resources.Certificate{both}}))
	is.NoErr(err)
	is.Equal(h.lineages("live"), []string{"live/fpai-both", "live/fpai-shop"})
	other := h.another(func(o *engine.Options) { o.ACME.DirectoryURL = "https://production.example.test/directory" })
	p, err := other.Plan(t.Context(), engine.SSL("shop", engine.SSLOptions{}))
	is.NoErr(err)
	is.True(strings.Contains(kinds(p), plan.RenewCertificate))
	p, err = other.Plan(t.Context(), engine.RenewDue())
	is.NoErr(err)
	is.Equal(strings.Count(kinds(p), plan.RenewCertificate), 2) // each from the CA that is set
}
