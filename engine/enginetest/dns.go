package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

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
