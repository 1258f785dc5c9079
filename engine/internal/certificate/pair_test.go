package certificate

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/matryer/is"
)

const day = 24 * time.Hour

var newYear = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestCertificatesAreDueByTheContractsRule(t *testing.T) {
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
			p := Pair{Leaf: &x509.Certificate{NotBefore: newYear, NotAfter: newYear.Add(c.lifetime)}}
			due := p.Leaf.NotAfter.Add(-c.left)
			is.True(!p.Due(due.Add(-time.Second), c.before))
			is.True(p.Due(due, c.before))
		})
	}
}

func TestWhatIsNotThereIsNeitherGoodNorDue(t *testing.T) {
	is := is.New(t)
	var none Pair
	is.True(!none.Valid(newYear))
	is.True(!none.Due(newYear, day))
	is.True(!none.Covers(nil))
	is.True(!none.CoversAny([]string{"shop.example.com"}))
}

func TestACertificateIsForItsNames(t *testing.T) {
	is := is.New(t)
	p := Pair{Leaf: &x509.Certificate{DNSNames: []string{"shop.example.com", "*.blog.example.com"}, NotBefore: newYear, NotAfter: newYear.Add(day)}}
	is.True(p.Covers([]string{"shop.example.com", "my.blog.example.com"}))
	is.True(!p.Covers([]string{"shop.example.com", "blog.example.com"}))
	is.True(p.CoversAny([]string{"shop.example.com", "blog.example.com"}))
	is.True(!p.CoversAny([]string{"example.com"}))
	is.True(p.Valid(newYear.Add(day - time.Second)))
	is.True(!p.Valid(newYear.Add(day)))
}

func TestACertificateIsDescribedInTheFieldsWords(t *testing.T) {
	is := is.New(t)
	for want, key := range map[string]any{"ecdsa": &ecdsa.PublicKey{}, "rsa": &rsa.PublicKey{}, "ed25519": ed25519.PublicKey{}, "unknown": nil} {
		is.Equal(KeyType(&x509.Certificate{PublicKey: key}), want)
	}
	is.Equal(Serial(&x509.Certificate{SerialNumber: big.NewInt(0xbeef)}), "BEEF")
	is.Equal(Issuer(&x509.Certificate{Issuer: pkix.Name{CommonName: "R11", Organization: []string{"Let's Encrypt"}}}), "R11")
	is.Equal(Issuer(&x509.Certificate{Issuer: pkix.Name{Organization: []string{"Let's Encrypt"}}}), "Let's Encrypt")
}
