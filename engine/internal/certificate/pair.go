package certificate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Pair is a chain with its key.
type Pair struct {
	// Leaf is nil where there is no certificate, or none that nginx could load with its key.
	Leaf *x509.Certificate
	// There: a chain is in its place, good or not.
	There bool
	// Fingerprint changes with the chain, and with whether the key fits.
	Fingerprint string
}

// Valid reports whether clients accept the certificate now, as far as its time goes.
func (p Pair) Valid(now time.Time) bool { return p.Leaf != nil && now.Before(p.Leaf.NotAfter) }

// Covers reports whether the certificate is for all these names.
func (p Pair) Covers(domains []string) bool {
	return p.Leaf != nil && !slices.ContainsFunc(domains, func(d string) bool { return p.Leaf.VerifyHostname(d) != nil })
}

// CoversAny reports whether the certificate is for one of these names.
func (p Pair) CoversAny(domains []string) bool {
	return p.Leaf != nil && slices.ContainsFunc(domains, func(d string) bool { return p.Leaf.VerifyHostname(d) == nil })
}

// shortLived is the lifetime below which a certificate is renewed at half of it: so ACME clients do, since a third of
// 160 hours would leave too little time for a CA that is down.
const shortLived = 10 * 24 * time.Hour

// Due reports whether it is time to renew the certificate: when less is left than the smaller of before and a third of its
// lifetime, or half of one below ten days. Where there is none, nothing is due.
func (p Pair) Due(now time.Time, before time.Duration) bool {
	return p.Leaf != nil && !now.Before(renewAt(p.Leaf, before))
}

func renewAt(leaf *x509.Certificate, before time.Duration) time.Time {
	lifetime := leaf.NotAfter.Sub(leaf.NotBefore)
	fraction := lifetime / 3
	if lifetime < shortLived {
		fraction = lifetime / 2
	}
	return leaf.NotAfter.Add(-min(before, fraction))
}

// KeyType names the kind of a certificate's key as certbot's --key-type does: "ecdsa", "rsa", "ed25519" or "unknown".
func KeyType(leaf *x509.Certificate) string {
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ecdsa"
	case *rsa.PublicKey:
		return "rsa"
	case ed25519.PublicKey:
		return "ed25519"
	default:
		return "unknown"
	}
}

// Serial is a certificate's serial number, hexadecimal, as openssl prints it.
func Serial(leaf *x509.Certificate) string { return fmt.Sprintf("%X", leaf.SerialNumber) }

// Issuer is the common name of who issued a certificate, or the organization.
func Issuer(leaf *x509.Certificate) string {
	if leaf.Issuer.CommonName != "" {
		return leaf.Issuer.CommonName
	}
	return strings.Join(leaf.Issuer.Organization, ", ")
}

// read reads a chain and its key. That there is none is no error.
func read(fsys host.FS, files resources.CertificateFiles) (Pair, error) {
	chain, err := fsys.ReadFile(files.Fullchain)
	if errors.Is(err, fs.ErrNotExist) {
		return Pair{Fingerprint: "absent"}, nil
	}
	if err != nil {
		return Pair{}, err
	}
	key, err := fsys.ReadFile(files.PrivateKey)
	if errors.Is(err, fs.ErrNotExist) {
		return Pair{There: true, Fingerprint: "certificate without a key"}, nil
	}
	if err != nil {
		return Pair{}, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		// Not a word of the error: it is about a private key.
		return Pair{There: true, Fingerprint: "certificate that does not fit its key, sha256:" + plan.Hash(chain)}, nil
	}
	leaf := pair.Leaf
	if leaf == nil { // GODEBUG=x509keypairleaf=0
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return Pair{There: true, Fingerprint: "certificate that can't be read, sha256:" + plan.Hash(chain)}, nil
		}
	}
	return Pair{Leaf: leaf, There: true, Fingerprint: "certificate sha256:" + plan.Hash(chain)}, nil
}
