package enginetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// An authority is a small CA of the lab's own. It signs what Pebble cannot: Pebble's own HTTPS, the upstreams' TLS and
// certificates that somebody else is supposed to have made.
type authority struct {
	key     *ecdsa.PrivateKey
	cert    *x509.Certificate
	certPEM []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := template509("enginetest lab CA")
	tmpl.IsCA, tmpl.BasicConstraintsValid = true, true
	tmpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{key: key, cert: cert, certPEM: pemBlock("CERTIFICATE", der)}, nil
}

// issue signs a server certificate for the names, which may be IP addresses, with a new key.
func (a *authority) issue(names ...string) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	tmpl := template509(names[0])
	tmpl.KeyUsage, tmpl.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", keyDER), nil
}

func template509(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name[:min(len(name), 64)]}, // ub-common-name, RFC 5280 appendix A.1
		NotBefore:    now.Add(-time.Minute),
		NotAfter:     now.Add(30 * 24 * time.Hour),
	}
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// Certificate makes a certificate for the domains that neither certbot nor Pebble knows, and returns its files: what an
// administrator brought along. [Lab.GetTLS] accepts it.
func (l *Lab) Certificate(domains ...string) (certFile, keyFile string) {
	cert, key, err := l.ca.issue(domains...)
	l.must(err)
	certFile, keyFile, err = l.writePair(domains[0], cert, key)
	l.must(err)
	return certFile, keyFile
}

// writePair writes ca/NAME.pem and ca/NAME.key.
func (l *Lab) writePair(name string, certPEM, keyPEM []byte) (certFile, keyFile string, err error) {
	base := filepath.Join(l.Dir, "ca", name)
	certFile, keyFile = base+".pem", base+".key"
	return certFile, keyFile, errors.Join(os.WriteFile(certFile, certPEM, 0o644), os.WriteFile(keyFile, keyPEM, 0o600))
}

// Roots returns the CAs that a client of this lab trusts: the lab's own and, with Options.ACME, Pebble's.
func (l *Lab) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(l.ca.certPEM)
	pool.AppendCertsFromPEM(l.RootPEM)
	return pool
}
