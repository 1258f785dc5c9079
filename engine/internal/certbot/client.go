package certbot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/hashicorp/go-version"
)

// Settings say which certbot, which directories and which CA a [Client] works with. All of them are needed but those that
// say otherwise.
type Settings struct {
	Bin              string
	ConfigDir        string
	WorkDir, LogsDir string // certbot's own where they are empty
	DirectoryURL     string // the CA's
	Webroot          string // from which nginx answers challenges
	// Timeout is for one run of certbot; LockWait is how long to wait for another certbot to end, 0 for not at all.
	Timeout, LockWait time.Duration
	FS                host.FS
	Clock             func() time.Time
	// Preflight is made before the CA is asked; none if it is nil.
	Preflight *acme.Preflight
}

// A Client drives one certbot. It may be used from several goroutines, but certbot itself does one thing at a time.
type Client struct {
	opts  Settings
	pairs *certificate.Cache

	mu      sync.Mutex
	version string // as certbot last said
	stamp   string // of the program that said so
}

// New returns a client. It looks at nothing yet, so it succeeds also where certbot is missing.
func New(s Settings) *Client {
	return &Client{opts: s, pairs: certificate.NewCache(s.FS, s.Clock)}
}

// The directories of certbot below its configuration directory.
const (
	liveDir    = "live"
	archiveDir = "archive"
	renewalDir = "renewal"
)

func (c *Client) path(elem ...string) string {
	return filepath.Join(c.opts.ConfigDir, filepath.Join(elem...))
}

// oldest is Debian 11's, and the oldest that changes a lineage's key type when it is told both --key-type and --cert-name.
// Its default key is RSA, newer ones' ECDSA; it is always told which. Tested is 2.1.
var oldest = version.Must(version.NewVersion("1.12"))

var versionLine = regexp.MustCompile(`certbot (\d+\.\d+\S*)`)

// Version returns what certbot says of itself. It is asked again only when the program has changed: starting Python takes
// half a second.
func (c *Client) Version(ctx context.Context) (string, error) {
	info, err := os.Stat(c.opts.Bin)
	if err != nil {
		return "", err
	}
	stamp := fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano())
	c.mu.Lock()
	known, same := c.version, c.stamp == stamp
	c.mu.Unlock()
	if same {
		return known, nil
	}
	out, err := child.Command{Path: c.opts.Bin, Args: []string{"--version"}, Env: environment(os.TempDir()), Timeout: 30 * time.Second}.Run(ctx)
	if err != nil {
		return "", err
	}
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("its answer to --version has no version: %.80q", out)
	}
	c.mu.Lock()
	c.version, c.stamp = m[1], stamp
	c.mu.Unlock()
	return m[1], nil
}

// check refuses a certbot that is not there or too old, before the CA is asked.
func (c *Client) check(ctx context.Context) *acme.Failure {
	text, err := c.Version(ctx)
	if err != nil {
		return &acme.Failure{Reason: missing, Sentence: "certbot is not there: install it, or set CERTBOT_BIN", Detail: plain.Line(err.Error()), Local: true}
	}
	v, err := version.NewVersion(text)
	if err != nil {
		return &acme.Failure{Reason: missing, Sentence: "certbot's version can't be read (CERTBOT_BIN)", Detail: plain.Line(err.Error()), Local: true}
	}
	if v.LessThan(oldest) {
		return &acme.Failure{Reason: tooOld, Sentence: fmt.Sprintf("certbot %s is too old: %s is the oldest that is supported", v, oldest), Local: true}
	}
	return nil
}
