package resources

func NewRoute(f RouteFields) (Route, error)  { panic("todo") }
func (r Route) Fields() RouteFields          { panic("todo") }
func (r Route) MarshalJSON() ([]byte, error) { panic("todo") }

// Render returns the whole managed file.
func (r Route) Render(s Settings, cert *CertificateFiles) ([]byte, error) { panic("todo") }

// RenderMaps returns the text of MapsFile.
func RenderMaps(s Settings) ([]byte, error) { panic("todo") }

// DefaultListens are the sockets for which no other site is the default server.
type DefaultListens struct{ HTTP4, HTTP6, HTTPS4, HTTPS6 bool }

// RenderDefault returns the text of DefaultFile: nil if there is nothing to listen on.
func RenderDefault(s Settings, l DefaultListens) ([]byte, error) { panic("todo") }

// Managed is what a managed file's header says.
type Managed struct {
	// Name is the droplet's name, or "_maps", "_default".
	Name        string
	Route       Route
	Shared      bool
	Certificate *CertificateFiles
	// Fingerprint is the SHA-256 (hex) of the file as it is: all but the fingerprint line.
	Fingerprint string
	// Drifted: Fingerprint is not the one that the header carries.
	Drifted bool
}

// ParseManaged reads a managed file. errors.Is ErrUnmanaged: not ours; ErrDamaged: ours, but the header is broken (Name is set if known).
func ParseManaged(b []byte) (Managed, error) { panic("todo") }

type CertificateFields struct {
	Name    string   `json:"name"`
	Domains []string `json:"domains"`
	Email   string   `json:"email,omitempty"`
	KeyType string   `json:"key_type,omitempty"`
}
type Certificate struct{ f CertificateFields }

func NewCertificate(f CertificateFields) (Certificate, error) { panic("todo") }
func ParseCertificate(b []byte) (Certificate, error)          { panic("todo") }
func (c Certificate) Fields() CertificateFields               { panic("todo") }
func (c Certificate) MarshalJSON() ([]byte, error)            { panic("todo") }
func (c Certificate) Name() string                            { return c.f.Name }
func (c Certificate) Address() string                         { return "certificate." + c.f.Name }

// LineageName is certbot's --cert-name: "fpai-NAME".
func (c Certificate) LineageName() string          { return FilePrefix + c.f.Name }
func (c Certificate) Domains() []string            { panic("todo") }
func (c Certificate) Email() string                { return c.f.Email }
func (c Certificate) KeyType() string              { return c.f.KeyType }
func (c Certificate) Equal(other Certificate) bool { panic("todo") }

// Certificate returns the certificate that a route with enable_ssl implies, named after its droplet.
func (r Route) Certificate(email string) (Certificate, error) { panic("todo") }

type Desired struct {
	RequiredVersion string
	NginxVersion    string
	Routes          []Route
	Certificates    []Certificate
}

func ParseDesired(b []byte) (Desired, error)   { panic("todo") }
func (d Desired) MarshalJSON() ([]byte, error) { panic("todo") }
func Schema() []byte                           { panic("todo") }
