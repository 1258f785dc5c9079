package resources_test

import (
	"bytes"
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// nginxBin is the nginx that the tests run against: NGINX_BIN if that is set, to try another version.
var nginxBin = cmp.Or(os.Getenv("NGINX_BIN"), "/usr/sbin/nginx")

// An nginx is a private nginx: its own prefix, no file outside it.
type nginx struct {
	dir   string
	files resources.CertificateFiles
}

// newNginx lays out a prefix with a certificate for example.com and everything below it.
func newNginx(t testing.TB) *nginx {
	t.Helper()
	if _, err := os.Stat(nginxBin); err != nil {
		t.Fatalf("nginx is not there (apt-get install nginx): %v", err)
	}
	n := &nginx{dir: t.TempDir()}
	// nginx's workers have another user: they must be able to pass through to the webroot.
	for dir := n.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		must(t, os.Chmod(dir, 0o755))
	}
	for _, sub := range []string{"sites", "acme/.well-known/acme-challenge", "logs"} {
		must(t, os.MkdirAll(filepath.Join(n.dir, sub), 0o755))
	}
	n.files = resources.CertificateFiles{Fullchain: filepath.Join(n.dir, "fullchain.pem"), PrivateKey: filepath.Join(n.dir, "privkey.pem")}
	writeCertificate(t, n.files)
	n.write(t, "nginx.conf", []byte(`error_log stderr notice; pid nginx.pid; worker_processes 1;
events { worker_connections 256; }
http { access_log off; client_body_temp_path tmp1; proxy_temp_path tmp2; fastcgi_temp_path tmp3; uwsgi_temp_path tmp4; scgi_temp_path tmp5;
include sites/*; }`))
	return n
}

func (n *nginx) webroot() string { return filepath.Join(n.dir, "acme") }

func (n *nginx) write(t testing.TB, name string, text []byte) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(n.dir, name), text, 0o644))
}

func (n *nginx) site(t testing.TB, name string, text []byte) {
	t.Helper()
	n.write(t, filepath.Join("sites", name), text)
}

// test runs nginx -t and returns its output if it is not satisfied, or if it warns.
func (n *nginx) test(t testing.TB) string {
	t.Helper()
	out, err := n.command("-t").CombinedOutput()
	if bytes.Contains(out, []byte("(13: Permission denied)")) && os.Geteuid() != 0 {
		t.Skip("ports below 1024 need root")
	}
	if err != nil || bytes.Contains(out, []byte("[warn]")) {
		return fmt.Sprintf("nginx -t: %v\n%s", err, out)
	}
	return ""
}

// start runs nginx until the test ends.
func (n *nginx) start(t testing.TB) {
	t.Helper()
	if out := n.test(t); out != "" {
		t.Fatal(out)
	}
	log, err := os.Create(filepath.Join(n.dir, "logs", "stderr"))
	must(t, err)
	cmd := n.command("-g", "daemon off;")
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("nginx said:\n%s", b)
		}
	})
}

func (n *nginx) command(args ...string) *exec.Cmd {
	return exec.Command(nginxBin, append([]string{"-p", n.dir, "-c", filepath.Join(n.dir, "nginx.conf")}, args...)...)
}

// installed returns the versions of nginx and of its OpenSSL.
func installed(t testing.TB) (nginx, openssl *version.Version) {
	t.Helper()
	out, err := exec.Command(nginxBin, "-V").CombinedOutput()
	if err != nil {
		t.Fatalf("nginx is not there (apt-get install nginx): %v", err)
	}
	find := func(pattern string) *version.Version {
		m := regexp.MustCompile(pattern).FindSubmatch(out)
		if m == nil {
			t.Fatalf("no version in %q", out)
		}
		return version.Must(version.NewVersion(string(m[1])))
	}
	return find(`nginx/([0-9.]+)`), find(`OpenSSL ([0-9.]+)`)
}

func writeCertificate(t testing.TB, files resources.CertificateFiles) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "example.com"},
		DNSNames:  []string{"example.com", "*.example.com", "app.internal"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(files.Fullchain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644))
	must(t, os.WriteFile(files.PrivateKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

// freePort returns a port that nobody listens on at the moment, by IPv4 or IPv6.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	must(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// longDomain returns a domain of n characters.
func longDomain(n int, tld string) string {
	s := strings.Repeat(strings.Repeat("a", 49)+".", 6)
	return strings.Trim(s[:n-len(tld)-2], ".") + strings.Repeat("b", 2) + tld
}
