package resources

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// CertificateFields are the fields of a certificate as people and programs write them.
type CertificateFields struct {
	// Name is the certificate's name, in the alphabet of a droplet's: the route of that name uses it.
	Name string `json:"name"`
	// Domains are the names the certificate is for, from 1 to 100.
	Domains []string `json:"domains"`
	// Email is the address that the CA gets for its account; empty for the one of the settings.
	Email string `json:"email,omitempty"`
	// KeyType is "ecdsa" (the default) or "rsa".
	KeyType string `json:"key_type,omitempty"`
}

// A Certificate is one certificate that is wanted. It can only be had from [NewCertificate], [ParseCertificate] and
// [Route.Certificate], so it is always a good one. The zero Certificate is none.
type Certificate struct {
	name    string
	domains []string
	email   string
	keyType string
}

// NewCertificate checks every field and fills in the defaults. The error is a *[FieldError] or nil.
func NewCertificate(f CertificateFields) (Certificate, error) {
	var c Certificate
	var err error
	if c.name, err = parseName("name", f.Name); err != nil {
		return Certificate{}, err
	}
	if len(f.Domains) < 1 || len(f.Domains) > maxDomains {
		return Certificate{}, &FieldError{Field: "domains", Constraint: "must be from 1 to " + strconv.Itoa(maxDomains) + " names"}
	}
	if c.domains, err = parseDomains(domainField, f.Domains); err != nil {
		return Certificate{}, err
	}
	if f.Email != "" {
		if c.email, err = parseEmail("email", f.Email); err != nil {
			return Certificate{}, err
		}
	}
	if c.keyType, err = parseChoice("key_type", f.KeyType, "ecdsa", "rsa"); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

func domainField(i int) string { return "domains[" + strconv.Itoa(i) + "]" }

// ParseCertificate reads one certificate from JSON and checks every field. The error is a *[FieldError] or nil.
func ParseCertificate(b []byte) (Certificate, error) {
	var f CertificateFields
	if err := strictjson.Decode(b, maxRouteJSON, &f); err != nil {
		return Certificate{}, decodeError(err)
	}
	return NewCertificate(f)
}

// Certificate returns the certificate that a route with enable_ssl implies: named after its droplet, for all its domains.
// The email may be empty, for the one of the settings.
func (r Route) Certificate(email string) (Certificate, error) {
	return NewCertificate(CertificateFields{Name: r.name, Domains: r.Domains(), Email: email})
}

// Fields returns the certificate's fields with all defaults filled in. Email stays empty for the one of the settings.
func (c Certificate) Fields() CertificateFields {
	return CertificateFields{Name: c.name, Domains: slices.Clone(c.domains), Email: c.email, KeyType: c.keyType}
}

// MarshalJSON returns the canonical form: one line, the key's type only if it is not the default.
func (c Certificate) MarshalJSON() ([]byte, error) {
	return json.Marshal(CertificateFields{
		Name: c.name, Domains: c.domains, Email: c.email, KeyType: unlessDefault(c.keyType, "ecdsa"),
	})
}

// Name returns the certificate's name.
func (c Certificate) Name() string { return c.name }

// Address names the resource in plans: "certificate.NAME".
func (c Certificate) Address() string { return "certificate." + c.name }

// LineageName returns the name under which certbot keeps it: "fpai-NAME", so that no lineage of somebody else's is meant.
func (c Certificate) LineageName() string { return FilePrefix + c.name }

// Domains returns the names the certificate is for.
func (c Certificate) Domains() []string { return slices.Clone(c.domains) }

// Email returns the address that the CA gets, or "" for the one of the settings.
func (c Certificate) Email() string { return c.email }

// KeyType returns "ecdsa" or "rsa".
func (c Certificate) KeyType() string { return c.keyType }

// IsZero reports whether c is the zero Certificate, which is none.
func (c Certificate) IsZero() bool { return c.name == "" }

// Equal reports whether both certificates ask for the same.
func (c Certificate) Equal(other Certificate) bool {
	return c.name == other.name && c.email == other.email && c.keyType == other.keyType && slices.Equal(c.domains, other.domains)
}
