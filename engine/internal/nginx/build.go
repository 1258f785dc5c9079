package nginx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
	"github.com/hashicorp/go-version"
)

// Bounds against configurations that include themselves.
const (
	MaxIncludeDepth = 16
	MaxIncludeFiles = 100_000
)

// An Nginx is one nginx: its binary, its configuration and its running master process.
type Nginx struct {
	bin     string
	conf    string // as given; empty for the binary's own default
	timeout time.Duration

	mu    sync.Mutex
	known *Build
	stamp string // of the binary that known describes
}

// A Build is what an nginx binary says about itself (nginx -V).
type Build struct {
	Version *version.Version
	OpenSSL *version.Version // nil where it was built without
	// The paths compiled in, absolute.
	Conf, Prefix, PIDFile, ErrorLog string
}

// New returns the nginx of a binary. conf, if it is not empty, is passed as -c; timeout is for one test and one reload.
func New(bin, conf string, timeout time.Duration) *Nginx {
	return &Nginx{bin: bin, conf: conf, timeout: timeout}
}

// ErrMissing is in the chain where the binary is not there.
var ErrMissing = errors.New("nginx is not there: install it, or set NGINX_BIN")

var (
	versionLine  = regexp.MustCompile(`nginx version: [^/\s]+/(\d+\.\d+\.\d+)`)
	opensslLine  = regexp.MustCompile(`(?:built|running) with OpenSSL (\d+\.\d+\.\d+)`)
	configArg    = regexp.MustCompile(`--(prefix|conf-path|pid-path|error-log-path)=(\S+)`)
	emergLine    = regexp.MustCompile(`\[(?:emerg|alert|crit)\] (.*) in ([^\s:]+):(\d+)$`)
	pidAndThread = regexp.MustCompile(`^\d+#\d+: `)
)

// Build returns what the binary says of itself; it is asked again only when the file has changed.
func (n *Nginx) Build(ctx context.Context) (*Build, error) {
	info, err := os.Stat(n.bin)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known != nil && n.stamp == stamp {
		return n.known, nil
	}
	out, err := child.Command{Path: n.bin, Args: []string{"-V"}, Timeout: 10 * time.Second}.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", n.bin, err)
	}
	b, err := parseBuild(out)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its version: %w", n.bin, err)
	}
	n.known, n.stamp = b, stamp
	return b, nil
}

func parseBuild(out string) (*Build, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("its answer to -V has no version: %.80q", out)
	}
	v, err := version.NewVersion(m[1])
	if err != nil {
		return nil, err
	}
	b := &Build{Version: v, Prefix: "/usr/local/nginx"}
	// "built with OpenSSL a (running with OpenSSL b)": the last one named is the one that runs.
	for _, m := range opensslLine.FindAllStringSubmatch(out, -1) {
		if v, err := version.NewVersion(m[1]); err == nil {
			b.OpenSSL = v
		}
	}
	args := map[string]string{}
	for _, m := range configArg.FindAllStringSubmatch(out, -1) {
		args[m[1]] = m[2]
	}
	if p := args["prefix"]; p != "" {
		b.Prefix = p
	}
	path := func(name, fallback string) string {
		p := args[name]
		if p == "" {
			p = fallback
		}
		if p == "stderr" || filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(b.Prefix, p)
	}
	b.Conf, b.PIDFile, b.ErrorLog = path("conf-path", "conf/nginx.conf"), path("pid-path", "logs/nginx.pid"), path("error-log-path", "logs/error.log")
	return b, nil
}

// ConfPath returns the configuration file that this nginx is driven with.
func (n *Nginx) ConfPath(b *Build) string {
	if n.conf != "" {
		return n.conf
	}
	return b.Conf
}

func (n *Nginx) args(more ...string) []string {
	if n.conf != "" {
		return append([]string{"-c", n.conf}, more...)
	}
	return more
}

// Paths are where a running nginx keeps its pid and its log.
type Paths struct{ PIDFile, ErrorLog string }

// Paths returns what is compiled in, unless the main context of the configuration says otherwise.
func (b *Build) Paths(conf []nginxconf.Directive) Paths {
	p := Paths{PIDFile: b.PIDFile, ErrorLog: b.ErrorLog}
	for _, d := range conf {
		if len(d.Args) == 0 {
			continue
		}
		switch d.Name {
		case "pid":
			p.PIDFile = b.inPrefix(d.Args[0])
		case "error_log":
			if !strings.HasPrefix(d.Args[0], "syslog:") && d.Args[0] != "stderr" {
				p.ErrorLog = b.inPrefix(d.Args[0])
			}
		}
	}
	return p
}

func (b *Build) inPrefix(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.Prefix, path)
}
