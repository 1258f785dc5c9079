package certbot

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Lineage looks one certificate up, through the observer: live/NAME with links to the current chain and key, and how to
// renew it in renewal/NAME.conf. That there is none is no error.
func (c *Client) Lineage(o *host.Observer, name string) (*certificate.Lineage, error) {
	l := &certificate.Lineage{Name: name, Files: c.files(name)}
	var err error
	if l.Pair, err = c.pairs.Read(l.Files); err != nil {
		return nil, fmt.Errorf("read a certificate; run as the user that owns certbot's files: %w", err)
	}
	o.Note(l.Files.Fullchain, l.Fingerprint)
	renewal, err := o.State(c.path(renewalDir, name+".conf"))
	if err != nil {
		return nil, fmt.Errorf("read how a certificate is renewed; run as the user that owns certbot's files: %w", err)
	}
	l.Known = renewal.Exists
	conf := readRenewal(renewal.Content)
	l.Managed, l.Server = c.manages(name, conf), conf["server"]
	return l, nil
}

// Names lists the lineages under names with a prefix, in order, also those of which only parts are there.
func (c *Client) Names(o *host.Observer, prefix string) ([]string, error) {
	var names []string
	for _, dir := range []string{liveDir, renewalDir} {
		found, err := o.ReadDir(c.path(dir))
		if err != nil {
			return nil, fmt.Errorf("look for certificates; run as the user that owns certbot's files: %w", err)
		}
		for _, name := range found {
			if dir == renewalDir {
				name = strings.TrimSuffix(name, ".conf")
			}
			if name != "README" && strings.HasPrefix(name, prefix) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (c *Client) files(name string) resources.CertificateFiles {
	dir := c.path(liveDir, name)
	return resources.CertificateFiles{Fullchain: filepath.Join(dir, "fullchain.pem"), PrivateKey: filepath.Join(dir, "privkey.pem")}
}

// manages reports whether this program had a lineage issued: that is in its name, and in its renewal configuration, by
// which certbot answers challenges from this webroot alone.
func (c *Client) manages(name string, renewal map[string]string) bool {
	// certbot writes a list: the path, and a comma behind it.
	return strings.HasPrefix(name, resources.FilePrefix) && renewal["authenticator"] == "webroot" &&
		strings.Trim(renewal["webroot_path"], " \t\r\n,\"'") == c.opts.Webroot
}

// readRenewal reads the parameters of a renewal configuration.
func readRenewal(b []byte) map[string]string {
	params := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, "="); ok {
			params[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return params
}
