package engine_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// bring puts a certificate for the domain, which somebody else has made, where certbot would have put it.
func (h *realHost) bring(lineage, domain string) (dir string) {
	h.t.Helper()
	certFile, keyFile := h.Lab.Certificate(domain)
	dir = filepath.Join(h.CertbotConfigDir, "live", lineage)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for from, to := range map[string]string{certFile: "fullchain.pem", keyFile: "privkey.pem"} {
		b, err := os.ReadFile(from)
		if err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	return dir
}

func TestARouteWhoseCertificateVanishedIsDisabledAlone(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	dir := h.bring("fpai-alpha", "alpha.example.test")
	h.put(h.route("alpha", withSSL), h.route("beta"))
	got, err := h.GetTLS("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "up\n")
	file, err := os.ReadFile(h.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)

	is.NoErr(os.RemoveAll(dir))
	is.NoErr(h.StopNginx())
	is.True(h.StartNginx() != nil) // it can't start any more

	found, err := h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(len(found.Isolated), 1)
	is.Equal(found.Isolated[0].Route, "alpha")
	is.True(strings.Contains(found.Isolated[0].Reason, "fullchain.pem"))
	is.NoErr(h.StartNginx())
	is.Equal(h.page("beta.example.test"), "up\n") // the rest serves
	kept, err := os.ReadFile(h.SitesAvailable + "/fpai-alpha.conf")
	is.NoErr(err)
	is.Equal(string(kept), string(file))
	st, err := h.Route(t.Context(), "alpha")
	is.NoErr(err)
	is.Equal(st.Status, engine.Disabled)

	found, err = h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(found, nil) // it does nothing twice
	history, err := h.History()
	is.NoErr(err)
	is.Equal(history[0].Operation, "recover")

	h.put(h.route("alpha", withSSL))
	is.Equal(h.page("alpha.example.test"), "up\n") // over HTTP, until it has a certificate again
}

func TestDamagedFilesAndSharedOnesAreWrittenAnewFromTheirHeaders(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"), h.route("beta"), h.route("gamma"))
	before := h.Tree()
	appendTo(t, h.SitesAvailable+"/fpai-alpha.conf", "nonsense on;\n")
	appendTo(t, h.SitesAvailable+"/fpai-gamma.conf", "}\n")
	is.NoErr(os.Remove(h.SitesEnabled + "/fpai-_maps.conf"))

	found, err := h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(len(found.Isolated), 0)
	is.Equal(healedBy(found), "route.alpha route.gamma shared.maps")
	is.Equal(found.NginxError, "")
	is.NoErr(h.TestConfig(t.Context()))
	is.Equal(h.Tree().Diff(before), "")
	is.Equal(h.page("alpha.example.test"), "up\n")
}

func healedBy(r *engine.Recovery) string {
	var list []string
	for _, x := range r.Healed {
		list = append(list, x.Address)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func isolatedBy(r *engine.Recovery) string {
	var list []string
	for _, x := range r.Isolated {
		list = append(list, x.Address)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestAFaultOfSomebodyElseIsLeftAlone(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(h.route("alpha"))
	is.NoErr(h.Site("broken.conf", "nonsense on;\n"))
	before := h.Tree()
	found, err := h.Recover(t.Context())
	is.NoErr(err)
	is.Equal(len(found.Isolated), 0)
	is.True(strings.Contains(found.NginxError, "broken.conf:1"))
	is.Equal(h.Tree(), before)
}
