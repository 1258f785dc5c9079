package resources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A managed file begins with comments: who wrote it, what it was made from, and a fingerprint.
//
//	# Managed by Proxy Manager, format 1. Edits are seen as drift, and overwritten by the next apply.
//	# route: {"droplet_name":"alpha","domain":"alpha.example.com",…}
//	# certificate: {"fullchain":"/etc/letsencrypt/…","private_key":"/etc/letsencrypt/…"}
//	# fingerprint: sha256:…
//
// The second line has the resource's kind and its canonical form, "# shared: _maps" say. It has no line break and no byte
// outside printable ASCII, so it can't end its comment.
const (
	signature       = "Managed by Proxy Manager, format "
	format          = "1"
	advice          = ". Edits are seen as drift, and overwritten by the next apply."
	certificateKey  = "certificate: "
	fingerprintKey  = "fingerprint: sha256:"
	maxManaged      = 1 << 20
	fingerprintSize = 2 * sha256.Size
)

// Seal returns the whole text of a managed file: its header, which says of which kind the resource is and has its
// canonical form, and the body. cert, if it is not nil, is what the body has nginx read.
func Seal(kind string, spec []byte, cert *CertificateFiles, body []byte) ([]byte, error) {
	var w nginxconf.Writer
	w.Comment(signature + format + advice)
	w.Comment(kind + ": " + string(spec))
	if cert != nil {
		files, err := json.Marshal(cert)
		if err != nil {
			return nil, fmt.Errorf("encode the paths of the certificate: %w", err)
		}
		w.Comment(certificateKey + string(files))
	}
	head, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	file := make([]byte, 0, len(head)+len(fingerprintKey)+fingerprintSize+len(body)+4)
	file = append(append(append(file, head...), '\n'), body...)
	sum := fingerprint(file)
	file = append(append(append(file[:len(head)], "# "+fingerprintKey...), sum...), "\n\n"...)
	return append(file, body...), nil
}

// seal is Seal for a body that is still being written.
func seal(kind string, spec []byte, cert *CertificateFiles, body *nginxconf.Writer) ([]byte, error) {
	text, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	return Seal(kind, spec, cert, text)
}

// fingerprint is the SHA-256 of a managed file without its fingerprint's line, given in parts.
func fingerprint(parts ...[]byte) string {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Managed is what a managed file says of itself.
type Managed struct {
	// Kind is the resource's, such as "route"; Spec is its canonical form, which the kind's own parser has to read: nothing
	// keeps it from having been edited. Whether it fits the file's name is for the caller to see, too.
	Kind string
	Spec []byte
	// Certificate is what the file has nginx read; nil for one that serves HTTP only.
	Certificate *CertificateFiles
	// Fingerprint is the SHA-256, in hexadecimal, of the file as it is now, but for the line of the fingerprint.
	Fingerprint string
	// Drifted says that the file is not as it was written.
	Drifted bool
}

// Route returns the route that a file of the kind "route" was made from, through the same checks as one from a request.
// The error has [ErrDamaged] in its chain.
func (m Managed) Route() (Route, error) {
	r, err := ParseRoute(m.Spec)
	if err != nil {
		return Route{}, fmt.Errorf("%w: route: %w", ErrDamaged, err)
	}
	return r, nil
}

// ParseManaged reads the header of a managed file and compares the fingerprint, which is there to find accidents, not
// forgery.
//
// In the chain of an error is [ErrUnmanaged] if the program did not write the file, and [ErrDamaged] if it did and the
// header was broken since.
func ParseManaged(b []byte) (Managed, error) {
	lines := headerLines{rest: b}
	first, ok := lines.next(signature)
	if !ok {
		return Managed{}, ErrUnmanaged
	}
	if len(b) > maxManaged {
		return Managed{}, fmt.Errorf("%w: the file is larger than %d bytes", ErrDamaged, maxManaged)
	}
	if v, _, _ := strings.Cut(first, "."); v != format {
		return Managed{}, fmt.Errorf("%w: it is of format %s, and this program knows format %s", ErrDamaged, strictjson.Quote(v), format)
	}
	m, err := lines.managed()
	if err != nil {
		return Managed{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	head := b[:len(b)-len(lines.rest)]
	want, _ := lines.next(fingerprintKey)
	m.Fingerprint = fingerprint(head, lines.rest)
	m.Drifted = m.Fingerprint != want
	return m, nil
}

// IsTorn reports whether a file holds nothing, or no more than the beginning of a managed file: what a full disk, a power cut
// or a slip of the hand leave of one, and nobody writes on purpose.
func IsTorn(b []byte) bool {
	return strings.HasPrefix("# "+signature+format, string(bytes.Trim(b, "\x00 \t\r\n")))
}

// headerLines reads a header line by line.
type headerLines struct{ rest []byte }

// next takes the next line, if it is a comment with the key, and returns what follows the key.
func (h *headerLines) next(key string) (string, bool) {
	line, rest, _ := bytes.Cut(h.rest, []byte("\n"))
	text, isComment := bytes.CutPrefix(line, []byte("# "))
	value, ok := bytes.CutPrefix(text, []byte(key))
	if !isComment || !ok {
		return "", false
	}
	h.rest = rest
	return string(value), true
}

func (h *headerLines) managed() (Managed, error) {
	line, ok := h.next("")
	kind, spec, found := strings.Cut(line, ": ")
	if !ok || !found || !IsKind(kind) || spec == "" {
		return Managed{}, errors.New("its second line does not say what it was made from")
	}
	files, err := h.certificate()
	if err != nil {
		return Managed{}, fmt.Errorf("certificate: %w", err)
	}
	return Managed{Kind: kind, Spec: []byte(spec), Certificate: files}, nil
}

// IsKind reports whether s can be the name of a kind of resource: a letter, then letters, digits and '_'.
func IsKind(s string) bool {
	return s != "" && len(s) <= maxName && !isDigit(s[0]) && s[0] != '_' &&
		consistsOf(s, func(c byte) bool { return isAlphanumeric(c) || c == '_' })
}

func (h *headerLines) certificate() (*CertificateFiles, error) {
	text, ok := h.next(certificateKey)
	if !ok {
		return nil, nil
	}
	var files CertificateFiles
	if err := strictjson.Decode([]byte(text), maxRouteJSON, &files); err != nil {
		return nil, err
	}
	return &files, files.check()
}
