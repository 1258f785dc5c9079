package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

// bring puts a certificate for the domain where certbot would have put the route's.
func bring(t *testing.T, lab *enginetest.Lab, name, domain string) (dir string) {
	t.Helper()
	certFile, keyFile := lab.Certificate(domain)
	dir = filepath.Join(lab.CertbotConfigDir, "live", "fpai-"+name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{certFile: "fullchain.pem", keyFile: "privkey.pem"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestARouteWhoseCertificateVanishedIsDisabledAlone(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	e := open(t, lab)
	dir := bring(t, lab, "alpha", "alpha.example.test")
	withSSL := func(f *resources.RouteFields) { f.EnableSSL = new(true) }
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port(), withSSL), route(t, "beta", up.Port())))
	is.NoErr(err)
	got, err := lab.GetTLS("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n")
	file, err := os.ReadFile(lab.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)

	is.NoErr(os.RemoveAll(dir))
	is.NoErr(lab.StopNginx())
	is.True(lab.StartNginx() != nil) // it can't start any more

	found, err := e.Recover(ctx)
	is.NoErr(err)
	is.Equal(len(found.Isolated), 1)
	is.Equal(found.Isolated[0].Route, "alpha")
	is.True(strings.Contains(found.Isolated[0].Reason, "fullchain.pem"))
	is.NoErr(lab.StartNginx())
	got, err = lab.Get("beta.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n") // the rest serves
	kept, err := os.ReadFile(lab.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)
	is.Equal(string(kept), string(file))
	st, err := e.Route(ctx, "alpha")
	is.NoErr(err)
	is.Equal(st.Status, engine.Disabled)

	found, err = e.Recover(ctx)
	is.NoErr(err)
	is.Equal(found, nil) // it does nothing twice
	history, err := e.History()
	is.NoErr(err)
	is.Equal(history[0].Operation, "recover")

	_, err = e.Do(ctx, engine.Put(route(t, "alpha", up.Port(), withSSL)))
	is.NoErr(err)
	got, err = lab.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n") // over HTTP, until it has a certificate again
}

func TestDamagedFilesAreIsolatedAndSharedOnesWrittenAnew(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("up")
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", up.Port()), route(t, "beta", up.Port()), route(t, "gamma", up.Port())))
	is.NoErr(err)
	appendTo(t, lab.SitesAvailable+"/fpai-alpha.conf", "nonsense on;\n")
	appendTo(t, lab.SitesAvailable+"/fpai-gamma.conf", "}\n")
	is.NoErr(os.Remove(lab.SitesEnabled + "/fpai-_maps.conf"))

	found, err := e.Recover(ctx)
	is.NoErr(err)
	is.Equal(len(found.Isolated), 2)
	is.Equal(found.Isolated[0].Route+" "+found.Isolated[1].Route, "alpha gamma")
	is.NoErr(e.TestConfig(ctx))
	got, err := lab.Get("beta.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n")
	got, err = lab.Get("alpha.example.test", "/name")
	is.True(err != nil || got.Body != "up\n") // and nginx has been told
}

func TestAFaultOfSomebodyElseIsLeftAlone(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	e := open(t, lab)
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", lab.Upstream("up").Port())))
	is.NoErr(err)
	is.NoErr(lab.Site("broken.conf", "nonsense on;\n"))
	before := lab.Tree()
	found, err := e.Recover(ctx)
	is.NoErr(err)
	is.Equal(len(found.Isolated), 0)
	is.True(strings.Contains(found.NginxError, "broken.conf:1"))
	is.Equal(lab.Tree(), before)
}
