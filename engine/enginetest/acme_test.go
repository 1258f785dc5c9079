package enginetest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// certonly runs certbot as an administrator would, against the lab's CA.
func certonly(lab *enginetest.Lab, domain string) (string, error) {
	cmd := exec.Command(lab.CertbotBin, "certonly", "--webroot", "-w", filepath.Join(lab.StateDir, "webroot"),
		"--config-dir", lab.CertbotConfigDir, "--work-dir", lab.CertbotWorkDir, "--logs-dir", lab.CertbotLogsDir,
		"--server", lab.ACMEDirectoryURL, "--agree-tos", "-n", "-m", "admin@example.test", "--key-type", "ecdsa",
		"--cert-name", domain, "-d", domain)
	cmd.Env = append(os.Environ(), lab.Env()...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestCertbotGetsACertificateThatNginxServes(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{ACME: true, CertificateLifetime: time.Hour})
	site := proxySite(lab, "www.example.test", lab.Upstream("www"))
	is.NoErr(lab.Site("www.conf", site))
	is.NoErr(os.Mkdir(filepath.Join(lab.StateDir, "webroot"), 0o755))
	is.NoErr(lab.ReloadNginx())

	out, err := certonly(lab, "www.example.test")
	if err != nil {
		t.Fatal(out)
	}
	live := filepath.Join(lab.CertbotConfigDir, "live", "www.example.test")
	tls := strings.NewReplacer("server_name", "listen "+strconv.Itoa(lab.HTTPSPort)+" ssl http2;\n"+
		"    ssl_certificate "+live+"/fullchain.pem;\n    ssl_certificate_key "+live+"/privkey.pem;\n    server_name")
	is.NoErr(lab.Site("www.conf", tls.Replace(site)))
	is.NoErr(lab.ReloadNginx())
	res, err := lab.GetTLS("www.example.test", "/name")
	is.NoErr(err) // verified against Pebble's root
	is.Equal(res.Body, "www\n")
	is.Equal(res.Proto, "HTTP/2.0")
	left := time.Until(res.TLS.PeerCertificates[0].NotAfter)
	is.True(left > 50*time.Minute && left <= time.Hour) // as Options.CertificateLifetime says

	is.NoErr(lab.DNS.Servfail("gone.example.test"))
	out, err = certonly(lab, "gone.example.test")
	is.True(err != nil)
	is.True(strings.Contains(out, "could not resolve URL"))

	is.NoErr(lab.StopCA())
	out, err = certonly(lab, "late.example.test")
	is.True(err != nil)
	is.True(strings.Contains(out, "Connection refused"))
	old := lab.RootPEM
	is.NoErr(lab.StartCA())
	is.True(string(old) != string(lab.RootPEM)) // a new CA
}

func TestCertificatesOfTheLabsOwnAreTrusted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	cert, key := lab.Certificate("own.example.test")
	is.NoErr(lab.Site("own.conf", "server { listen "+strconv.Itoa(lab.HTTPSPort)+" ssl; server_name own.example.test;\n"+
		"ssl_certificate "+cert+"; ssl_certificate_key "+key+"; return 200 \"own\\n\"; }\n"))
	is.NoErr(lab.ReloadNginx())
	res, err := lab.GetTLS("own.example.test", "/")
	is.NoErr(err)
	is.Equal(res.Body, "own\n")
	_, err = lab.GetTLS("other.example.test", "/")
	is.True(err != nil) // the certificate is for another name
}
