package engine

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A CertificateStatus is what is known of one certificate. All of it but LastError and NextAttempt is read from the
// certificate itself.
type CertificateStatus struct {
	// Name is that of the route it is for, or of the certificate that was listed by hand.
	Name string `json:"name"`
	// Files are what nginx reads; zero where there is no certificate yet.
	Files     resources.CertificateFiles `json:"files,omitzero"`
	Domains   []string                   `json:"domains,omitempty"`
	Issuer    string                     `json:"issuer,omitempty"` // the common name, or the organization
	Serial    string                     `json:"serial,omitempty"` // hexadecimal, as openssl prints it
	NotBefore time.Time                  `json:"not_before,omitzero"`
	NotAfter  time.Time                  `json:"not_after,omitzero"`
	KeyType   string                     `json:"key_type,omitempty"` // "ecdsa", "rsa" or "ed25519"
	// Managed: the program had it issued, so the program renews and deletes it. Others are only used.
	Managed bool `json:"managed"`
	// Due: it is time to renew it.
	Due bool `json:"due"`
	// ServedSerial is that of the certificate in the last TLS handshake with the own listener, at ServedAt; empty where
	// none was made. If it is not Serial, nginx has yet to load the file.
	ServedSerial string    `json:"served_serial,omitempty"`
	ServedAt     time.Time `json:"served_at,omitzero"`
	// LastError says why the last attempt to obtain it failed, LastReason in one word; empty after a success.
	LastError  string `json:"last_error,omitempty"`
	LastReason string `json:"last_reason,omitempty"`
	Failures   int    `json:"failures,omitempty"` // in a row
	// NextAttempt is the earliest time at which the CA is asked again.
	NextAttempt time.Time `json:"next_attempt,omitzero"`
}

// Exists reports whether there is a certificate at all.
func (c CertificateStatus) Exists() bool { return c.Serial != "" }

// Stale reports whether nginx was seen serving another certificate than the one in the file.
func (c CertificateStatus) Stale() bool { return c.ServedSerial != "" && c.ServedSerial != c.Serial }

// Certificates returns every certificate that is managed or used by a managed route, by name. It reads files only.
func (e *Engine) Certificates(ctx context.Context) ([]CertificateStatus, error) { return nil, nil }

// Certificate returns the certificate of the route, or of the certificate, of that name, and makes a TLS handshake with
// nginx to see whether it is served. Without such a name, the error has the code ProxyNotFound.
func (e *Engine) Certificate(ctx context.Context, name string) (CertificateStatus, error) {
	return CertificateStatus{}, notFound(name)
}

// A CertbotStatus is what can be said of certbot.
type CertbotStatus struct {
	Present bool   `json:"present"`
	Version string `json:"version,omitempty"`
	// Last is the last certificate that was asked for; nil if none was.
	Last *LastOperation `json:"last,omitempty"`
}

// A LastOperation is one attempt to get or delete a certificate.
type LastOperation struct {
	Operation   string    `json:"operation"` // a step's kind
	Certificate string    `json:"certificate"`
	At          time.Time `json:"at"`
	Reason      string    `json:"reason,omitempty"` // why it failed, in one word; empty if it did not
}

// Certbot looks whether certbot is there. Its version is asked for once, and again only when the program changes.
func (e *Engine) Certbot(ctx context.Context) CertbotStatus { return CertbotStatus{} }
