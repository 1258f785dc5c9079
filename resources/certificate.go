package resources

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// CertificateFields are the fields of a certificate as people and programs write them.
type CertificateFields struct {
	_ struct{} `strict:"filled"` // an empty text is no value

	// Name is the certificate's name, in the alphabet of a droplet's: the route of that name uses it.
	Name string `json:"name"`
	// Domains are the names the certificate is for, from 1 to 100.
	Domains []string `json:"domains"`
	// Email is the address that the CA gets for its account; empty for the one of the settings.
	Email string `json:"email,omitempty"`
	// KeyType is "ecdsa" (the default) or "rsa".
	KeyType string `json:"key_type,omitempty"`
}

// certificateFields has a row for each of the [CertificateFields].
func certificateFields() []fields.Field {
	return []fields.Field{
		{Name: "name", Type: nameType, Required: true,
			Help: "name of the certificate: the route of that name uses it"},
		{Name: "domains", Type: fields.List(domainType, 1, maxDomains, "must be from 1 to 100 names"), Required: true,
			Help: "names that the certificate is for"},
		{Name: "email", Type: emailType,
			Help: "address that the CA gets for its account; that of the settings unless given"},
		{Name: "key_type", Type: keyType, Default: "ecdsa",
			Help: "kind of the certificate's key"},
	}
}

var certificateTable = fields.For[CertificateFields](certificateFields()...).Where(namesDiffer)

// CertificateTable returns the table of a certificate's fields.
func CertificateTable() *fields.Table[CertificateFields] { return certificateTable }

func namesDiffer(f *CertificateFields) error {
	for i, d := range f.Domains {
		if slices.Contains(f.Domains[:i], d) {
			return fieldError(element("domains", i), d, "must not be listed twice")
		}
	}
	return nil
}

// A Certificate is one certificate that is wanted. It can only be had from [NewCertificate], [ParseCertificate] and
// [Route.Certificate], so it is always a good one. The zero Certificate is none.
type Certificate struct {
	// fields are normalised, and never written to; nil of the zero Certificate.
	fields *CertificateFields
	json   []byte // the canonical form of fields, never written to either
}

// NewCertificate checks every field and fills in the defaults. The error is a *[FieldError] or nil.
func NewCertificate(f CertificateFields) (Certificate, error) {
	if err := certificateTable.Normalise(&f); err != nil {
		return Certificate{}, err
	}
	return Certificate{&f, certificateTable.JSON(&f)}, nil
}

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
	return NewCertificate(CertificateFields{Name: r.Name(), Domains: r.Domains(), Email: email})
}

var noCertificate CertificateFields

// f returns the fields to be read.
func (c Certificate) f() *CertificateFields { return cmp.Or(c.fields, &noCertificate) }

// Fields returns the certificate's fields with all defaults filled in. Email stays empty for the one of the settings.
func (c Certificate) Fields() CertificateFields { return certificateTable.Copy(c.f()) }

// MarshalJSON returns the canonical form: one line, the key's type only if it is not the default. The zero Certificate is
// null.
func (c Certificate) MarshalJSON() ([]byte, error) {
	if c.IsZero() {
		return []byte("null"), nil
	}
	return bytes.Clone(c.json), nil
}

// Equal reports whether both certificates ask for the same.
func (c Certificate) Equal(other Certificate) bool { return bytes.Equal(c.json, other.json) }

// IsZero reports whether c is the zero Certificate, which is none.
func (c Certificate) IsZero() bool { return c.fields == nil }

// Name returns the certificate's name.
func (c Certificate) Name() string { return c.f().Name }

// Address names the resource in plans: "certificate.NAME".
func (c Certificate) Address() string { return "certificate." + c.Name() }

// LineageName returns the name under which certbot keeps it: "fpai-NAME", so that no lineage of somebody else's is meant.
func (c Certificate) LineageName() string { return FilePrefix + c.Name() }

// Domains returns the names the certificate is for.
func (c Certificate) Domains() []string { return slices.Clone(c.f().Domains) }

// Email returns the address that the CA gets, or "" for the one of the settings.
func (c Certificate) Email() string { return c.f().Email }

// KeyType returns "ecdsa" or "rsa".
func (c Certificate) KeyType() string { return c.f().KeyType }
