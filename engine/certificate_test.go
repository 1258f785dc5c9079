package engine_test

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

func TestARouteGetsItsCertificateAndKeepsIt(t *testing.T) {
	_, h := begin(t, enginetest.Options{ACME: true})
	shop := h.httpsRoute("shop", "www.shop.example.test")

	t.Run("the plan keeps the host servable at each step", func(t *testing.T) {
		is := is.New(t)
		p, err := h.Plan(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{shop}}))
		is.NoErr(err)
		is.Equal(kinds(p), "check_health write_file write_file create_symlink create_symlink write_file create_symlink test_config reload verify issue_certificate write_file test_config reload verify")
		is.Equal(p.Summary.Create, 4) // the route, its certificate, and the two files that routes share
	})

	t.Run("it is issued for all names and served over HTTPS", func(t *testing.T) {
		is := is.New(t)
		_, err := h.apply(shop)
		is.NoErr(err)
		is.Equal(h.leaf("shop.example.test").DNSNames, []string{"shop.example.test", "www.shop.example.test"})
		h.leaf("www.shop.example.test")
		res, err := h.Get("shop.example.test", "/name")
		is.NoErr(err)
		is.True(res.Status == 301 || res.Status == 308) // HTTP leads to HTTPS
		st := h.status("shop")
		is.True(st.Managed && st.Exists() && !st.Due)
		is.Equal(st.ServedSerial, st.Serial)
		is.Equal(st.KeyType, "ecdsa")
		p, err := h.Plan(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{shop}}))
		is.NoErr(err)
		is.True(p.Empty()) // applied twice is applied once
	})

	t.Run("nothing runs while nothing is due", func(t *testing.T) {
		is := is.New(t)
		never := h.another(func(o *engine.Options) { o.Certbot.Bin = "/bin/false" })
		res, err := never.Do(t.Context(), engine.RenewDue())
		is.NoErr(err)
		is.True(res.Plan.Empty())
		_, err = never.Do(t.Context(), engine.SSL("shop", engine.SSLOptions{}))
		is.NoErr(err)
	})

	t.Run("it is renewed by force, and the new one is served", func(t *testing.T) {
		is := is.New(t)
		before := h.leaf("shop.example.test")
		res, err := h.Do(t.Context(), engine.SSL("shop", engine.SSLOptions{Force: true}))
		is.NoErr(err)
		is.Equal(kinds(res.Plan), "renew_certificate test_config reload verify")
		is.True(h.leaf("shop.example.test").SerialNumber.Cmp(before.SerialNumber) != 0)
	})

	t.Run("it is renewed when it is due", func(t *testing.T) {
		is := is.New(t)
		before := h.leaf("shop.example.test")
		later := h.another(func(o *engine.Options) {
			o.Clock = func() time.Time { return before.NotAfter.Add(-29 * 24 * time.Hour) }
		})
		res, err := later.Do(t.Context(), engine.RenewDue())
		is.NoErr(err)
		is.Equal(kinds(res.Plan), "renew_certificate test_config reload verify")
		is.True(h.leaf("shop.example.test").SerialNumber.Cmp(before.SerialNumber) != 0)
	})

	t.Run("it is issued anew when its names change", func(t *testing.T) {
		is := is.New(t)
		_, err := h.apply(h.httpsRoute("shop", "store.example.test"))
		is.NoErr(err)
		is.Equal(h.leaf("store.example.test").DNSNames, []string{"shop.example.test", "store.example.test"})
		is.Equal(h.lineages("live"), []string{"live/fpai-shop"}) // under the same name
	})

	t.Run("it is issued anew when its key type changes", func(t *testing.T) {
		is := is.New(t)
		cert, err := resources.NewCertificate(resources.CertificateFields{Name: "shop", Domains: []string{"shop.example.test"}, KeyType: "rsa"})
		is.NoErr(err)
		_, err = h.Do(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{h.httpsRoute("shop")}, Certificates: []resources.Certificate{cert}}))
		is.NoErr(err)
		is.Equal(h.leaf("shop.example.test").PublicKeyAlgorithm, x509.RSA)
	})

	t.Run("one renewed behind the program's back is noticed and loaded", func(t *testing.T) {
		is := is.New(t)
		before := h.leaf("shop.example.test")
		h.renewBehindOurBack("fpai-shop")
		is.Equal(h.leaf("shop.example.test").SerialNumber, before.SerialNumber) // nginx has not loaded it
		is.True(h.status("shop").Stale())
		stale, err := h.CheckServed(t.Context())
		is.NoErr(err)
		is.Equal(stale, []string{"shop"})
		res, err := h.Do(t.Context(), engine.RenewDue())
		is.NoErr(err)
		is.Equal(kinds(res.Plan), "test_config reload verify")
		is.True(h.leaf("shop.example.test").SerialNumber.Cmp(before.SerialNumber) != 0)
		is.True(!h.status("shop").Stale())
	})

	t.Run("nothing weak is served, and no unknown name", func(t *testing.T) {
		is := is.New(t)
		out, err := exec.Command("sslscan", "--no-colour", "--sni-name=shop.example.test", "127.0.0.1:"+strconv.Itoa(h.HTTPSPort)).CombinedOutput()
		is.NoErr(err)
		for _, weak := range []string{"SSLv2     enabled", "SSLv3     enabled", "TLSv1.0   enabled", "TLSv1.1   enabled", " 3DES", "RC4", " CBC", "SHA1 ", "Anon"} {
			is.True(!strings.Contains(string(out), weak)) // weak
		}
		is.True(strings.Contains(string(out), "TLSv1.3   enabled"))
		_, err = h.GetTLS("stranger.example.test", "/")
		is.True(err != nil) // the handshake is refused
	})

	t.Run("one that is gone takes the route back to HTTP, so that nginx can start", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.RemoveAll(filepath.Join(h.CertbotConfigDir, "live", "fpai-shop")))
		p, err := h.Plan(t.Context(), engine.Put(h.httpsRoute("shop")))
		is.NoErr(err)
		is.True(strings.Contains(p.Changes[0].Reason, "its certificate is gone"))
		_, err = h.Do(t.Context(), engine.Put(h.httpsRoute("shop")))
		is.NoErr(err)
		res, err := h.Get("shop.example.test", "/name")
		is.NoErr(err)
		is.Equal(res.Body, "up\n")
		_, err = h.apply(h.httpsRoute("shop")) // and the next attempt mends certbot's books, too
		is.NoErr(err)
		h.leaf("shop.example.test")
		is.Equal(h.lineages("live", "renewal"), []string{"live/fpai-shop", "renewal/fpai-shop.conf"})
	})

	t.Run("no private key is in plans, history or memory", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(filepath.WalkDir(h.StateDir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			is.True(!strings.Contains(string(b), "PRIVATE KEY")) // in path
			return err
		}))
	})

	afterHistory := func(change ...func(*engine.Options)) *engine.Engine {
		return h.another(append(change, func(o *engine.Options) { o.Clock = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) } })...)
	}

	t.Run("one that another site uses is kept, and goes when nothing uses it any more", func(t *testing.T) {
		is := is.New(t)
		live := filepath.Join(h.CertbotConfigDir, "live", "fpai-shop")
		is.NoErr(h.Site("borrower.conf", "server { listen "+strconv.Itoa(h.HTTPSPort)+" ssl; server_name borrower.example.test; ssl_certificate "+live+"/fullchain.pem; ssl_certificate_key "+live+"/privkey.pem; }\n"))
		is.NoErr(h.ReloadNginx())
		_, err := h.Do(t.Context(), engine.Delete("shop"))
		is.NoErr(err)
		is.Equal(h.lineages("live"), []string{"live/fpai-shop"})
		is.NoErr(os.Remove(filepath.Join(h.SitesEnabled, "borrower.conf")))
		is.NoErr(h.ReloadNginx())

		_, err = h.Do(t.Context(), engine.Destroy())
		is.NoErr(err)
		is.Equal(h.lineages("live"), []string{"live/fpai-shop"}) // from now on nothing uses it
		stuck := afterHistory(func(o *engine.Options) { o.Certbot.Bin = "/nonexistent/certbot" })
		_, err = stuck.Do(t.Context(), engine.Destroy())
		is.True(errors.Is(err, code(engine.ConfigDeleteFailed))) // nothing else was asked for
		res, err := h.apply(h.httpsRoute("shop"))                // seen again, and used
		is.NoErr(err)
		is.True(!slices.ContainsFunc(res.Plan.Steps, func(s plan.Step) bool { return s.Kind == plan.IssueCertificate }))
		h.leaf("shop.example.test")
	})

	t.Run("it goes after the route, once no rollback can bring that back", func(t *testing.T) {
		is := is.New(t)
		_, err := h.apply()
		is.NoErr(err)
		is.Equal(h.lineages("live"), []string{"live/fpai-shop"})
		res, err := afterHistory().Do(t.Context(), engine.Destroy())
		is.NoErr(err)
		is.Equal(res.Plan.Steps[len(res.Plan.Steps)-1].Kind, plan.DeleteCertificate)
		is.Equal(h.lineages("live", "renewal", "archive"), nil)
	})
}

// renewBehindOurBack does what certbot's own timer does: it renews, and leaves nginx alone.
func (h *realHost) renewBehindOurBack(lineage string) {
	h.t.Helper()
	out, err := exec.Command(h.CertbotBin, "renew", "--cert-name="+lineage, "--force-renewal", "--non-interactive", "--no-random-sleep-on-renew",
		"--config-dir="+h.CertbotConfigDir, "--work-dir="+h.CertbotWorkDir, "--logs-dir="+h.CertbotLogsDir).CombinedOutput()
	if err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

func TestACertificateThatCannotBeHadLeavesTheRouteOnHTTP(t *testing.T) {
	now := time.Now()
	_, h := begin(t, enginetest.Options{ACME: true}, func(o *engine.Options) {
		o.Clock = func() time.Time { return now }
		o.Certbot.LockWait = time.Second
	})
	clear := func() { // once no rollback can bring its route back
		now = now.Add(8 * 24 * time.Hour)
		if _, err := h.Do(t.Context(), engine.Destroy()); err != nil {
			t.Fatal(err)
		}
	}
	stillOnHTTP := func(t *testing.T, name string) {
		is := is.New(t)
		res, err := h.Get(name+".example.test", "/name")
		is.NoErr(err)
		is.Equal(res.Body, "up\n")
		is.Equal(h.lineages("live", "renewal", "archive", "csr", "keys"), nil) // nothing is left of the attempt
		entries, err := os.ReadDir(filepath.Join(h.Webroot(), ".well-known", "acme-challenge"))
		is.NoErr(err)
		is.Equal(len(entries), 0)
	}

	t.Run("a name that does not resolve", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(h.DNS.Servfail("lost.example.test"))
		_, err := h.apply(h.httpsRoute("lost"))
		is.True(errors.Is(err, code(engine.SSLIssuanceFailed)))
		is.Equal(reason(err), "dns")
		is.Equal(engine.OutcomeOf(err), engine.Partial)
		stillOnHTTP(t, "lost")

		st := h.status("lost")
		is.Equal(st.LastReason, "dns")
		is.True(st.NextAttempt.Equal(now.UTC().Add(time.Minute)))
		res, err := h.another().Do(t.Context(), engine.RenewDue()) // remembered across restarts
		is.NoErr(err)
		is.True(!strings.Contains(kinds(res.Plan), plan.IssueCertificate)) // not so soon by itself

		is.NoErr(h.DNS.Clear("lost.example.test"))
		now = now.Add(2 * time.Minute)
		_, err = h.Do(t.Context(), engine.RenewDue()) // tried again without anyone's help
		is.NoErr(err)
		h.leaf("lost.example.test")
		is.Equal(h.status("lost").LastError, "")
		_, err = h.apply()
		is.NoErr(err)
		clear()
	})

	t.Run("a name that leads elsewhere", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(h.DNS.AddA("astray.example.test", "240.0.0.1"))
		_, err := h.apply(h.httpsRoute("astray"))
		is.True(errors.Is(err, code(engine.SSLIssuanceFailed)))
		is.True(reason(err) == "connection" || reason(err) == "unauthorized")
		stillOnHTTP(t, "astray")
	})

	t.Run("a name the CA refuses", func(t *testing.T) {
		is := is.New(t)
		_, err := h.apply(h.httpsRoute("blocked"))
		is.Equal(reason(err), "rejected")
		stillOnHTTP(t, "blocked")
	})

	t.Run("another certbot at work", func(t *testing.T) {
		is := is.New(t)
		release := holdCertbotLock(t, h.CertbotConfigDir)
		_, err := h.apply(h.httpsRoute("patient"))
		is.Equal(reason(err), "certbot_locked")
		release()
		_, err = h.apply(h.httpsRoute("patient")) // the CA was not asked, so this may be at once
		is.NoErr(err)
		_, err = h.apply()
		is.NoErr(err)
		clear()
	})

	t.Run("no certbot", func(t *testing.T) {
		is := is.New(t)
		none := h.another(func(o *engine.Options) { o.Certbot.Bin = "/nonexistent/certbot" })
		_, err := none.Do(t.Context(), engine.Desired(resources.Desired{Routes: []resources.Route{h.httpsRoute("bare")}}))
		is.Equal(reason(err), "certbot_missing")
		stillOnHTTP(t, "bare")
	})

	t.Run("a webroot that nginx's workers can't enter", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.Chmod(h.Webroot(), 0o700))
		defer os.Chmod(h.Webroot(), 0o755)
		_, err := h.apply(h.httpsRoute("shut"))
		is.Equal(reason(err), "unauthorized")
		is.True(strings.Contains(err.Error(), "must be able to enter")) // found without the CA
		stillOnHTTP(t, "shut")
	})

	t.Run("a CA that is down", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(h.StopCA())
		_, err := h.apply(h.httpsRoute("early"))
		is.Equal(reason(err), "ca_unreachable")
		is.Equal(engine.OutcomeOf(err), engine.Partial)
		stillOnHTTP(t, "early")
		res, err := h.Do(t.Context(), engine.RenewDue())
		is.NoErr(err)
		is.True(res.Plan.Empty()) // the second attempt waits
	})
}

// holdCertbotLock does what a running certbot does with its directories.
func holdCertbotLock(t testing.TB, dir string) (release func()) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, ".certbot.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	return func() { f.Close() }
}

func TestForeignCertificatesAreUsedAndLeftAlone(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	live := h.bring("wild", "*.example.test")

	res, err := h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
	is.True(!slices.ContainsFunc(res.Plan.Steps, func(s plan.Step) bool { return s.Kind == plan.IssueCertificate }))
	is.Equal(h.leaf("shop.example.test").DNSNames, []string{"*.example.test"})
	is.True(!h.status("shop").Managed)

	_, err = h.Do(t.Context(), engine.Destroy())
	is.NoErr(err)
	is.Equal(h.lineages("live"), []string{"live/wild"})

	is.NoErr(os.Rename(live, filepath.Join(h.CertbotConfigDir, "live", "fpai-api")))
	_, err = h.apply(h.httpsRoute("api", "other.test"))
	is.True(errors.Is(err, code(engine.UnmanagedFile))) // its name is ours, and it is not
}

func TestACertificateListedByHandServesSeveralRoutes(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	both, err := resources.NewCertificate(resources.CertificateFields{Name: "both", Domains: []string{"shop.example.test", "blog.example.test"}})
	is.NoErr(err)
	d := resources.Desired{Routes: []resources.Route{h.httpsRoute("shop"), h.httpsRoute("blog")}, Certificates: []resources.Certificate{both}}
	_, err = h.Do(t.Context(), engine.Desired(d))
	is.NoErr(err)
	is.Equal(h.lineages("live"), []string{"live/fpai-both"})
	is.Equal(h.leaf("shop.example.test").SerialNumber, h.leaf("blog.example.test").SerialNumber)

	d.Routes = d.Routes[:1]
	_, err = h.Do(t.Context(), engine.Desired(d))
	is.True(errors.Is(err, code(engine.InvalidInput))) // blog.example.test is answered by nobody any more
	_, err = h.Do(t.Context(), engine.Delete("blog"))
	is.NoErr(err)
	is.Equal(h.lineages("live"), []string{"live/fpai-both"}) // shop uses it
}

func TestACertificateIsObtainedBeforeARouteUsesItAndGoesWithItsListing(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	spare, err := resources.NewCertificate(resources.CertificateFields{Name: "spare", Domains: []string{"shop.example.test"}})
	is.NoErr(err)
	d := resources.Desired{Routes: []resources.Route{h.route("shop")}, Certificates: []resources.Certificate{spare}}
	_, err = h.Do(t.Context(), engine.Desired(d))
	is.NoErr(err)
	is.Equal(h.lineages("live"), []string{"live/fpai-spare"})
	is.Equal(h.page("shop.example.test"), "up\n") // over HTTP, as listed
	p, err := h.Plan(t.Context(), engine.Desired(d))
	is.NoErr(err)
	is.True(p.Empty())
	list, err := h.Certificates(t.Context())
	is.NoErr(err)
	is.Equal(len(list), 1)
	is.True(list[0].Managed && list[0].Exists() && !list[0].Due)
	is.Equal(list[0].Name, "spare")
	certbot := h.Certbot(t.Context())
	is.True(certbot.Present && certbot.Version != "")
	is.Equal(certbot.Last.Certificate, "fpai-spare")

	d.Certificates = nil
	_, err = h.Do(t.Context(), engine.Desired(d))
	is.NoErr(err)
	later := h.another(func(o *engine.Options) { o.Clock = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) } })
	_, err = later.Do(t.Context(), engine.Desired(d))
	is.NoErr(err)
	is.Equal(h.lineages("live", "renewal"), nil)
}
