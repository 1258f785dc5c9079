package enginetest

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
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

// A DNS is challtestsrv, the name server that Pebble asks. It answers 127.0.0.1 for every name that was not set to
// something else, and has no IPv6 addresses.
type DNS struct {
	port int
	url  string
	proc *process
}

func (l *Lab) startDNS() error {
	bin, err := lookPath("pebble-challtestsrv")
	if err != nil {
		return err
	}
	args := []string{
		"-dns01", fmt.Sprintf("127.0.0.1:%d", l.DNS.port), "-management", strings.TrimPrefix(l.DNS.url, "http://"),
		"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "",
	}
	// Since 2.5 there is DNS over HTTPS too, on a fixed port unless switched off; 2.4 (Debian 12) knows no such flag.
	if usage, _ := exec.Command(bin, "-h").CombinedOutput(); strings.Contains(string(usage), "-doh ") {
		args = append(args, "-doh", "")
	}
	if l.DNS.proc, err = l.spawn("challtestsrv", nil, bin, args...); err != nil {
		return err
	}
	return l.DNS.proc.ready(l.DNS.answers)
}

func (l *Lab) stopDNS() error {
	if l.DNS == nil {
		return nil
	}
	return l.DNS.proc.stop()
}

// Servfail makes the name fail to resolve.
func (d *DNS) Servfail(name string) error {
	return d.post("set-servfail", map[string]any{"host": name + "."})
}

// AddA makes the name resolve to the IPv4 addresses instead of 127.0.0.1.
func (d *DNS) AddA(name string, addresses ...string) error {
	return d.post("add-a", map[string]any{"host": name + ".", "addresses": addresses})
}

// Clear makes the name resolve to 127.0.0.1 again.
func (d *DNS) Clear(name string) error {
	host := map[string]any{"host": name + "."}
	return errors.Join(d.post("clear-servfail", host), d.post("clear-a", host))
}

func (d *DNS) post(command string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = fetch(localClient, http.MethodPost, d.url+"/"+command, b)
	return err
}

// answers asks for an address over UDP, as Pebble will: the management port is up before that.
func (d *DNS) answers() error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", d.port))
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err := resolver.LookupIP(ctx, "ip4", "ready.example.test.")
	return err
}
