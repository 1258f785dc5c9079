// Package enginetest starts what Proxy Manager works with, the real thing, on loopback: a private nginx, upstreams, and
// on request an ACME CA (Pebble) with its DNS. It is to package engine what net/http/httptest is to net/http, for the
// tests of this module and of programs that import it.
//
//	lab := enginetest.Start(t, enginetest.Options{ACME: true})
//	api := lab.Upstream("api")
//	// point a route at 127.0.0.1:api.Port(), apply it, and look through nginx:
//	res, err := lab.Get("api.example.test", "/echo")
//
// Every [Lab] has its own directory and its own ports, so tests and test packages may run side by side. Nothing is
// left running, and no file but the ports' empty locks, also when the program that started the lab is killed. A part that is not installed is
// an error that says what to install, never a test skipped in silence.
//
// Linux only: it reads /proc to tell nginx's master from a process that inherited its pid.
package enginetest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Options say what a lab has. The zero value is an nginx with two workers and no sites.
type Options struct {
	// ACME starts Pebble, a CA that issues to whoever answers its HTTP-01 challenge on the lab's HTTP port, and
	// challtestsrv, the DNS that it asks: there every name is 127.0.0.1 until [Lab.DNS] says otherwise.
	ACME bool
	// CertificateLifetime is how long Pebble's certificates are valid, in whole seconds; 90 days if zero.
	CertificateLifetime time.Duration
	// DefaultSite adds the site that Debian's package brings: not ours, enabled, default server of the HTTP port.
	DefaultSite bool
	// Workers is the number of nginx's worker processes; 2 if zero, as one worker hides what several show.
	Workers int
	// Glob is what nginx.conf includes of sites-enabled; "*.conf" if empty. Debian's is "*".
	Glob string
	// Dir is where the lab lives. It must be new or empty and stays after Close. If empty, a temporary directory is
	// made, and removed in the end.
	Dir string
}

// A Lab is a running nginx with all that belongs to it. Its fields are for reading.
type Lab struct {
	Dir string // everything of this lab is below it, and www-data may enter it

	NginxBin       string
	NginxConf      string
	PIDFile        string
	ErrorLog       string
	AccessLog      string
	ConfD          string // included in the http block, before the sites
	SitesAvailable string
	SitesEnabled   string
	HTTPPort       int // for the sites; nothing listens there until a site does
	HTTPSPort      int
	StatusPort     int // /status is stub_status, /worker the pid of the worker that answers

	// StateDir is empty and has mode 0755: nginx's workers must reach a webroot below it.
	StateDir string

	// CertbotBin is certbot as the host has it. With Options.ACME it is told to trust Pebble, which needs no environment.
	CertbotBin       string
	CertbotConfigDir string
	CertbotWorkDir   string
	CertbotLogsDir   string

	// ACMEDirectoryURL is Pebble's. Without Options.ACME nobody listens there, so that no test can order from a real
	// CA by mistake.
	ACMEDirectoryURL string
	// CABundle is the file with the root under which Pebble's own HTTPS, the upstreams' TLS and [Lab.Certificate]
	// are signed: certbot's REQUESTS_CA_BUNDLE.
	CABundle string
	// RootPEM is the root of the certificates that Pebble issues, nil without one. A restarted Pebble is a new CA
	// with a new root.
	RootPEM []byte
	// DNS is what Pebble believes about names; nil without Options.ACME.
	DNS *DNS

	opts    Options
	tb      testing.TB // nil for New
	user    string     // of nginx's workers; empty if they run as this process does
	ports   ports
	keeper  *keeper
	ca      *authority
	nginx   *process
	pebble  *process
	mgmtURL string // Pebble's management interface

	mu        sync.Mutex // guards ports, upstreams and closed
	upstreams []*Upstream
	closed    bool
}

// Start starts a lab for a test and closes it when the test ends. It fails the test if a part is missing or does not
// start, with the last lines of that part's log.
func Start(t testing.TB, o Options) *Lab {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l.tb = t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("enginetest: nginx's error log ends:\n%s", tail(l.ErrorLog))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// New starts a lab for a program, which must Close it.
func New(o Options) (*Lab, error) {
	if o.Workers == 0 {
		o.Workers = 2
	}
	if o.Glob == "" {
		o.Glob = "*.conf"
	}
	if o.CertificateLifetime == 0 {
		o.CertificateLifetime = 90 * 24 * time.Hour
	}
	l := &Lab{opts: o}
	if err := l.start(); err != nil {
		return nil, fmt.Errorf("enginetest: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

func (l *Lab) start() (err error) {
	if err := l.findPrograms(); err != nil {
		return err
	}
	if err := l.layOut(); err != nil {
		return err
	}
	if err := l.takePorts(); err != nil {
		return err
	}
	if l.ca, err = newAuthority(); err != nil {
		return err
	}
	if err := os.WriteFile(l.CABundle, l.ca.certPEM, 0o644); err != nil {
		return err
	}
	if err := l.writeNginxConf(); err != nil {
		return err
	}
	if err := l.wrapCertbot(); err != nil {
		return err
	}
	// Side by side: Pebble takes half a second to make its root's key.
	acme := make(chan error, 1)
	go func() { acme <- l.startACME() }()
	return errors.Join(l.StartNginx(), <-acme)
}

// Close stops everything, gives the ports back and removes the directory unless Options.Dir named it. It may be called
// more than once.
func (l *Lab) Close() error {
	l.mu.Lock()
	upstreams, closed := l.upstreams, l.closed
	l.upstreams, l.closed = nil, true
	l.mu.Unlock()
	if closed {
		return nil
	}
	for _, u := range upstreams {
		u.Stop()
	}
	var errs []error
	if l.keeper != nil {
		errs = append(errs, l.StopNginx(), l.StopCA(), l.stopDNS())
		l.keeper.close()
	}
	return errors.Join(append(errs, l.ports.close())...)
}

// Env returns the lab in the product's own settings, as NAME=value, for a child process's environment.
func (l *Lab) Env() []string {
	return []string{
		"NGINX_BIN=" + l.NginxBin,
		"NGINX_CONF=" + l.NginxConf,
		"NGINX_SITES_AVAILABLE=" + l.SitesAvailable,
		"NGINX_SITES_ENABLED=" + l.SitesEnabled,
		"NGINX_HTTP_PORT=" + strconv.Itoa(l.HTTPPort),
		"NGINX_HTTPS_PORT=" + strconv.Itoa(l.HTTPSPort),
		"CERTBOT_BIN=" + l.CertbotBin,
		"CERTBOT_CONFIG_DIR=" + l.CertbotConfigDir,
		"CERTBOT_WORK_DIR=" + l.CertbotWorkDir,
		"CERTBOT_LOGS_DIR=" + l.CertbotLogsDir,
		"ACME_DIRECTORY_URL=" + l.ACMEDirectoryURL,
		"PROXY_MANAGER_STATE_DIR=" + l.StateDir,
		"REQUESTS_CA_BUNDLE=" + l.CABundle,
	}
}

// must reports what cannot go wrong on a healthy machine, as httptest.NewServer does: in a test it fails the test.
func (l *Lab) must(err error) {
	if err == nil {
		return
	}
	if l.tb != nil {
		l.tb.Helper()
		l.tb.Fatalf("enginetest: %v", err)
	}
	panic("enginetest: " + err.Error())
}
