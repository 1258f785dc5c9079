package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
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

// Certificates returns every certificate that is managed or that a managed route uses or waits for, by name. It reads
// files only, and takes no lock.
func (e *Engine) Certificates(ctx context.Context) ([]CertificateStatus, error) {
	routes, err := e.Routes(ctx)
	if err != nil {
		return nil, err
	}
	o, attempts := e.observer(), e.memory.Attempts()
	names, err := e.lineageNames(o, resources.FilePrefix)
	if err != nil {
		return nil, err
	}
	managed, err := e.lineages(o, names)
	if err != nil {
		return nil, err
	}
	var list []CertificateStatus
	named := map[string]bool{}
	for _, r := range routes {
		if !r.Route.EnableSSL() {
			continue
		}
		l, err := e.lineage(o, lineageOf(r))
		if err != nil {
			return nil, err
		}
		named[r.Name] = true
		list = append(list, e.certificateStatus(r.Name, l, attempts))
	}
	for _, l := range managed {
		if name := certificateName(l.Name); l.Managed && !named[name] {
			list = append(list, e.certificateStatus(name, l, attempts))
		}
	}
	slices.SortFunc(list, func(a, b CertificateStatus) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// Certificate returns the certificate of the route, or the one listed by hand, of that name, and makes a TLS handshake with
// nginx to see what is served. Without such a name, the error has the code ProxyNotFound.
func (e *Engine) Certificate(ctx context.Context, name string) (CertificateStatus, error) {
	r, err := e.Route(ctx, name)
	known := err == nil
	if err != nil && CodeOf(err) != ProxyNotFound {
		return CertificateStatus{}, err
	}
	if !isName(name) {
		return CertificateStatus{}, notFound(name)
	}
	lineage := resources.FilePrefix + name
	if known {
		lineage = lineageOf(r)
	}
	l, err := e.lineage(e.observer(), lineage)
	if err != nil {
		return CertificateStatus{}, err
	}
	if !known && !l.Managed {
		return CertificateStatus{}, notFound(name)
	}
	if known && r.HTTPS && r.Status == Active {
		e.presents(ctx, handshake{ServerName: r.Route.Domain(), Fullchain: l.Files.Fullchain})
	}
	return e.certificateStatus(name, l, e.memory.Attempts()), nil
}

// lineageOf is the lineage that a route uses, or would use.
func lineageOf(r RouteStatus) string {
	if r.Certificate != nil {
		return lineageAt(r.Certificate.Fullchain)
	}
	return resources.FilePrefix + r.Name
}

func (e *Engine) certificateStatus(name string, l *certificate.Lineage, attempts map[string]acme.Attempt) CertificateStatus {
	st := CertificateStatus{Name: name, Managed: l.Managed, Due: l.Managed && e.due(l)}
	if l.Leaf != nil {
		st.Files, st.Domains, st.Issuer, st.Serial = l.Files, l.Leaf.DNSNames, certificate.Issuer(l.Leaf), certificate.Serial(l.Leaf)
		st.NotBefore, st.NotAfter, st.KeyType = l.Leaf.NotBefore.UTC(), l.Leaf.NotAfter.UTC(), certificate.KeyType(l.Leaf)
	}
	if a, failed := attempts[l.Name]; failed {
		st.LastError, st.LastReason, st.Failures, st.NextAttempt = a.Error, string(a.Reason), a.Failures, a.Next
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if s, seen := e.seen[l.Files.Fullchain]; seen {
		st.ServedSerial, st.ServedAt = s.serial, s.at
	}
	return st
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
func (e *Engine) Certbot(ctx context.Context) CertbotStatus {
	var st CertbotStatus
	if last := e.memory.Last(); last != nil {
		st.Last = &LastOperation{Operation: last.Operation, Certificate: last.Certificate, At: last.At, Reason: string(last.Reason)}
	}
	if v, err := e.issuer.Version(ctx); err == nil {
		st.Present, st.Version = true, v
	}
	return st
}
