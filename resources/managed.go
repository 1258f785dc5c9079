package resources

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
// A file that routes share has "# shared: _maps" in place of the route. The JSON has no line break and no byte outside
// printable ASCII, so it can't end its comment.
const (
	signature       = "Managed by Proxy Manager, format "
	format          = "1"
	advice          = ". Edits are seen as drift, and overwritten by the next apply."
	routeKey        = "route: "
	sharedKey       = "shared: "
	certificateKey  = "certificate: "
	fingerprintKey  = "fingerprint: sha256:"
	sharedMaps      = "_maps"
	sharedDefault   = "_default"
	maxManaged      = 1 << 20
	fingerprintSize = 2 * sha256.Size
)

// A header is what a managed file was made from.
type header struct {
	Route       Route
	Shared      string // of a file that routes share, its name
	Certificate *CertificateFiles
}

// seal puts the header before a body.
func seal(h header, body *nginxconf.Writer) ([]byte, error) {
	text, err := body.Bytes()
	if err != nil {
		return nil, err
	}
	var w nginxconf.Writer
	w.Comment(signature + format + advice)
	if err := h.write(&w); err != nil {
		return nil, err
	}
	head, err := w.Bytes()
	if err != nil {
		return nil, err
	}
	file := make([]byte, 0, len(head)+len(fingerprintKey)+fingerprintSize+len(text)+4)
	file = append(append(append(file, head...), '\n'), text...)
	sum := fingerprint(file)
	file = append(append(append(file[:len(head)], "# "+fingerprintKey...), sum...), "\n\n"...)
	return append(file, text...), nil
}

func (h header) write(w *nginxconf.Writer) error {
	if h.Shared != "" {
		w.Comment(sharedKey + h.Shared)
		return nil
	}
	w.Comment(routeKey + string(h.Route.json))
	if h.Certificate == nil {
		return nil
	}
	files, err := json.Marshal(h.Certificate)
	if err != nil {
		return fmt.Errorf("encode certificate of %s: %w", h.Route.Name(), err)
	}
	w.Comment(certificateKey + string(files))
	return nil
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
	// Name is the droplet's name, or "_maps" or "_default" of a file that routes share. Whether it fits the file's name is
	// for the caller to see: nothing else keeps a file from being copied.
	Name string
	// Route is what the file was made from; zero for a shared one.
	Route  Route
	Shared bool
	// Certificate is what the file has nginx read; nil for one that serves HTTP only.
	Certificate *CertificateFiles
	// Fingerprint is the SHA-256, in hexadecimal, of the file as it is now, but for the line of the fingerprint.
	Fingerprint string
	// Drifted says that the file is not as it was written.
	Drifted bool
}

// FileName returns the name under which the file was written.
func (m Managed) FileName() string { return FilePrefix + m.Name + FileSuffix }

// ParseManaged reads the header of a managed file and compares the fingerprint. It trusts nothing: the route passes the
// same checks as one from a request, and the fingerprint is there to find accidents, not forgery.
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
	if name, ok := h.next(sharedKey); ok {
		if name != sharedMaps && name != sharedDefault {
			return Managed{}, fmt.Errorf("there is no shared file %s", strictjson.Quote(name))
		}
		return Managed{Name: name, Shared: true}, nil
	}
	text, ok := h.next(routeKey)
	if !ok {
		return Managed{}, fmt.Errorf("its second line is neither %q nor %q", "# "+routeKey+"…", "# "+sharedKey+"…")
	}
	route, err := ParseRoute([]byte(text))
	if err != nil {
		return Managed{}, fmt.Errorf("route: %w", err)
	}
	files, err := h.certificate()
	if err != nil {
		return Managed{}, fmt.Errorf("certificate: %w", err)
	}
	return Managed{Name: route.Name(), Route: route, Certificate: files}, nil
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
