package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// trust is how nginx speaks TLS with an upstream: the same protocols, by the same name, verified where the generated
// configuration has it verified, and nowhere else. It is nil where TLS is not spoken.
func (n *Network) trust(u resources.Upstream) (*tls.Config, error) {
	if u.Scheme != "https" {
		return nil, nil
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: u.ServerName(), CipherSuites: allSuites(),
		InsecureSkipVerify: true, //nolint:gosec // crypto/tls verifies differently, see below; and where nginx does not, nobody does
	}
	if !n.Settings.Verifies(u) {
		return c, nil
	}
	n.readCAs.Do(func() { n.cas = readCAs(n.Settings.UpstreamCAFile) })
	c.VerifyConnection = func(state tls.ConnectionState) error { return n.cas.verify(state.PeerCertificates, u.Host) }
	return c, n.cas.err
}

// allSuites are more than crypto/tls offers by itself: OpenSSL, which nginx speaks with, has some of them by default.
func allSuites() (ids []uint16) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		ids = append(ids, s.ID)
	}
	return ids
}

// authorities are the certificates of a CA file. OpenSSL ends a chain only with one that signed itself.
type authorities struct {
	file                 string
	roots, intermediates *x509.CertPool
	err                  error // why the file can't be read
}

func readCAs(file string) authorities {
	cas := authorities{file: file, roots: x509.NewCertPool(), intermediates: x509.NewCertPool()}
	var b []byte
	b, cas.err = os.ReadFile(file)
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		switch {
		case err != nil: // OpenSSL knows more kinds than crypto/x509
		case string(cert.RawIssuer) == string(cert.RawSubject):
			cas.roots.AddCert(cert)
		default:
			cas.intermediates.AddCert(cert)
		}
	}
	return cas
}

// An untrustedError says why nginx would not take an upstream's certificate.
type untrustedError struct{ text string }

func (e *untrustedError) Error() string { return e.text }

func (cas *authorities) verify(chain []*x509.Certificate, name string) error {
	leaf := chain[0]
	between := cas.intermediates.Clone()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: cas.roots, Intermediates: between})
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return &untrustedError{"has a certificate that is not valid now"}
	}
	if err != nil {
		return &untrustedError{fmt.Sprintf("has a certificate that no CA in %s vouches for", cas.file)}
	}
	if !shortEnough(chains) {
		return &untrustedError{fmt.Sprintf("has a certificate with more than %d others up to its root in %s", resources.UpstreamVerifyDepth, cas.file)}
	}
	if named(leaf).VerifyHostname(name) != nil {
		return &untrustedError{"has a certificate that is not for " + name}
	}
	return nil
}

func shortEnough(chains [][]*x509.Certificate) bool {
	for _, c := range chains {
		if len(c)-2 <= resources.UpstreamVerifyDepth {
			return true
		}
	}
	return false
}

// named returns the certificate with its common name as a DNS name where it has none: OpenSSL still looks there.
func named(c *x509.Certificate) *x509.Certificate {
	if len(c.DNSNames) > 0 {
		return c
	}
	return &x509.Certificate{DNSNames: []string{c.Subject.CommonName}}
}
