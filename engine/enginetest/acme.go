package enginetest

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BlockedDomain is a name that Pebble refuses to issue for (rejectedIdentifier), as a CA's policy does.
const BlockedDomain = "blocked.example.test"

// takeACMEPorts sets the CA's address also for a lab without one: there nobody will ever listen.
func (l *Lab) takeACMEPorts() error {
	port, err := l.ports.next()
	l.ACMEDirectoryURL = fmt.Sprintf("https://127.0.0.1:%d/dir", port)
	if err != nil || !l.opts.ACME {
		return err
	}
	mgmt, errMgmt := l.ports.next()
	dnsPort, errDNS := l.ports.next()
	dnsMgmt, errDNSMgmt := l.ports.next()
	l.mgmtURL = fmt.Sprintf("https://127.0.0.1:%d", mgmt)
	l.DNS = &DNS{port: dnsPort, url: fmt.Sprintf("http://127.0.0.1:%d", dnsMgmt)}
	return errors.Join(errMgmt, errDNS, errDNSMgmt)
}

func (l *Lab) startACME() error {
	if !l.opts.ACME {
		return nil
	}
	if err := l.startDNS(); err != nil {
		return err
	}
	return l.StartCA()
}

// wrapCertbot has certbot trust Pebble's own HTTPS, whoever starts it: by the environment alone, the labs of one process
// could not have a CA each.
func (l *Lab) wrapCertbot() error {
	if !l.opts.ACME {
		return nil
	}
	script := fmt.Sprintf("#!/bin/sh\nREQUESTS_CA_BUNDLE='%s' exec '%s' \"$@\"\n", l.CABundle, l.CertbotBin)
	l.CertbotBin = filepath.Join(l.Dir, "certbot", "certbot")
	return os.WriteFile(l.CertbotBin, []byte(script), 0o755)
}

// StartCA starts Pebble and returns when it answers. It keeps nothing: after StopCA it is a new CA, with a new root
// and without the accounts that certbot still has.
func (l *Lab) StartCA() error {
	if !l.opts.ACME {
		return errors.New("this lab has no CA: set Options.ACME")
	}
	if l.pebble != nil && !l.pebble.ended() {
		return nil
	}
	config, err := l.writePebbleConfig()
	if err != nil {
		return err
	}
	bin, err := lookPath("pebble")
	if err != nil {
		return err
	}
	// Pebble on its own waits up to 15 s before it validates, refuses 5 % of the nonces, and skips the challenge for
	// half of the names it knows: all good for finding bugs in an ACME client, which certbot's authors have done.
	env := []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0"}
	l.pebble, err = l.spawn("pebble", env, bin, "-config", config, "-dnsserver", fmt.Sprintf("127.0.0.1:%d", l.DNS.port))
	if err != nil {
		return err
	}
	client := newClient(&tls.Config{RootCAs: l.Roots()})
	err = l.pebble.ready(func() error {
		if _, err := fetch(client, http.MethodGet, l.ACMEDirectoryURL, nil); err != nil {
			return err
		}
		l.RootPEM, err = fetch(client, http.MethodGet, l.mgmtURL+"/roots/0", nil)
		return err
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.Dir, "ca", "root.pem"), l.RootPEM, 0o644)
}

// StopCA ends Pebble: certbot finds nobody at ACMEDirectoryURL.
func (l *Lab) StopCA() error {
	return l.pebble.stop()
}

func (l *Lab) writePebbleConfig() (path string, err error) {
	cert, key, err := l.ca.issue("localhost", "127.0.0.1")
	if err != nil {
		return "", err
	}
	certFile, keyFile, err := l.writePair("pebble", cert, key)
	if err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(map[string]any{"pebble": map[string]any{
		"listenAddress":             strings.TrimSuffix(strings.TrimPrefix(l.ACMEDirectoryURL, "https://"), "/dir"),
		"managementListenAddress":   strings.TrimPrefix(l.mgmtURL, "https://"),
		"certificate":               certFile,
		"privateKey":                keyFile,
		"httpPort":                  l.HTTPPort,
		"tlsPort":                   l.HTTPSPort,
		"ocspResponderURL":          "",
		"certificateValidityPeriod": int(l.opts.CertificateLifetime / time.Second),
		"domainBlocklist":           []string{BlockedDomain},
	}}, "", "  ")
	if err != nil {
		return "", err
	}
	path = filepath.Join(l.Dir, "ca", "pebble.json")
	return path, os.WriteFile(path, b, 0o644)
}
