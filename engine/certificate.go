package engine

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A lineage is a certificate as certbot keeps it: live/NAME with links to the current chain and key, and how to renew it
// in renewal/NAME.conf.
type lineage struct {
	name  string // certbot's --cert-name
	files resources.CertificateFiles
	// leaf is nil where there is no certificate, or none that nginx could load with its key.
	leaf *x509.Certificate
	// managed: this program had it issued. It is in its name and answers its challenges from this webroot.
	managed bool
	// known: certbot has it in its books; there: files are in its place.
	known, there bool
}

// The directories of certbot below CERTBOT_CONFIG_DIR.
const (
	liveDir    = "live"
	archiveDir = "archive"
	renewalDir = "renewal"
)

// lineage looks one certificate up, through the observer. That there is none is no error.
func (e *Engine) lineage(o *host.Observer, name string) (*lineage, error) {
	dir := e.certbotPath(liveDir, name)
	l := &lineage{name: name, files: resources.CertificateFiles{
		Fullchain: filepath.Join(dir, "fullchain.pem"), PrivateKey: filepath.Join(dir, "privkey.pem"),
	}}
	pair, err := e.certs.load(e.fs, l.files)
	if err != nil {
		return nil, failf(ConfigWriteFailed, err, "read a certificate; run as the user that owns certbot's files")
	}
	o.Note(l.files.Fullchain, pair.text)
	l.leaf, l.there = pair.leaf, pair.there
	renewal, err := o.State(e.certbotPath(renewalDir, name+".conf"))
	if err != nil {
		return nil, failf(ConfigWriteFailed, err, "read how a certificate is renewed; run as the user that owns certbot's files")
	}
	l.known = renewal.Exists
	l.managed = strings.HasPrefix(name, resources.FilePrefix) && usesWebroot(renewal.Content, e.Webroot())
	return l, nil
}

func (e *Engine) certbotPath(elem ...string) string {
	return filepath.Join(e.opts.CertbotConfigDir, filepath.Join(elem...))
}

// usesWebroot reports whether a renewal configuration of certbot's answers challenges from this webroot alone.
func usesWebroot(conf []byte, webroot string) bool {
	uses := false
	for line := range strings.Lines(string(conf)) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		switch strings.TrimSpace(key) {
		case "authenticator":
			if strings.TrimSpace(value) != "webroot" {
				return false
			}
		case "webroot_path":
			// certbot writes a list: the path, and a comma behind it.
			uses = strings.Trim(value, " \t\r\n,\"'") == webroot
		}
	}
	return uses
}

// lineageNames lists the certificates that certbot keeps under names with a prefix, in order.
func (e *Engine) lineageNames(o *host.Observer, prefix string) ([]string, error) {
	var names []string
	for _, dir := range []string{liveDir, renewalDir} {
		found, err := o.ReadDir(e.certbotPath(dir))
		if err != nil {
			return nil, failf(ConfigWriteFailed, err, "look for certificates; run as the user that owns certbot's files")
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

// lineages looks several certificates up, side by side.
func (e *Engine) lineages(o *host.Observer, names []string) ([]*lineage, error) {
	list := make([]*lineage, len(names))
	err := host.ForEach(len(names), host.Readers, func(i int) (err error) {
		list[i], err = e.lineage(o, names[i])
		return err
	})
	return list, err
}

// valid reports whether clients accept the certificate now, as far as its time goes.
func (l *lineage) valid(now time.Time) bool { return l.leaf != nil && now.Before(l.leaf.NotAfter) }

// covers reports whether the certificate is for all these names.
func (l *lineage) covers(domains []string) bool {
	return l.leaf != nil && !slices.ContainsFunc(domains, func(d string) bool { return l.leaf.VerifyHostname(d) != nil })
}

// coversAny reports whether the certificate is for one of these names.
func (l *lineage) coversAny(domains []string) bool {
	return l.leaf != nil && slices.ContainsFunc(domains, func(d string) bool { return l.leaf.VerifyHostname(d) == nil })
}

// keyType names the kind of the certificate's key as certbot's --key-type does.
func keyType(leaf *x509.Certificate) string {
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		return "ecdsa"
	case *rsa.PublicKey:
		return "rsa"
	case ed25519.PublicKey:
		return "ed25519"
	default:
		return "unknown"
	}
}

func serial(leaf *x509.Certificate) string { return fmt.Sprintf("%X", leaf.SerialNumber) }

// A certificatePair is a chain with its key, as nginx would load them. The key itself is not kept.
type certificatePair struct {
	leaf  *x509.Certificate
	there bool
	text  string // the fingerprint
}

// A certificateCache remembers certificates within one process: to read and check a thousand takes a tenth of a second,
// and to see that they are the same only their inodes.
type certificateCache struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]cachedPair // by the chain's path
}

type cachedPair struct {
	keys [4]host.Key
	pair certificatePair
}

func newCertificateCache(clock func() time.Time) *certificateCache {
	return &certificateCache{clock: clock, known: map[string]cachedPair{}}
}

// load reads a chain and its key. What nginx could not load has no leaf.
func (c *certificateCache) load(fsys host.FS, files resources.CertificateFiles) (certificatePair, error) {
	keys, cacheable := pairKeys(fsys, files)
	c.mu.Lock()
	known, ok := c.known[files.Fullchain]
	c.mu.Unlock()
	if ok && cacheable && known.keys == keys {
		return known.pair, nil
	}
	pair, err := loadPair(fsys, files)
	if err != nil {
		return pair, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cacheable && settledSince(keys, c.clock()) {
		c.known[files.Fullchain] = cachedPair{keys, pair}
	} else {
		delete(c.known, files.Fullchain)
	}
	return pair, nil
}

// pairKeys identifies the two links and what they lead to.
func pairKeys(fsys host.FS, files resources.CertificateFiles) (keys [4]host.Key, ok bool) {
	for i, name := range []string{files.Fullchain, files.PrivateKey} {
		info, err := fsys.Lstat(name)
		if err != nil {
			return keys, false
		}
		if keys[2*i], ok = host.KeyOf(info); !ok {
			return keys, false
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		target, err := fsys.Readlink(name)
		if err != nil {
			return keys, false
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		if info, err = fsys.Lstat(target); err != nil || !info.Mode().IsRegular() {
			return keys, false
		}
		if keys[2*i+1], ok = host.KeyOf(info); !ok {
			return keys, false
		}
	}
	return keys, true
}

func settledSince(keys [4]host.Key, now time.Time) bool {
	for _, k := range keys {
		if !k.Settled(now) {
			return false
		}
	}
	return true
}

func loadPair(fsys host.FS, files resources.CertificateFiles) (certificatePair, error) {
	chain, err := fsys.ReadFile(files.Fullchain)
	if errors.Is(err, fs.ErrNotExist) {
		return certificatePair{text: "absent"}, nil
	}
	if err != nil {
		return certificatePair{}, err
	}
	key, err := fsys.ReadFile(files.PrivateKey)
	if errors.Is(err, fs.ErrNotExist) {
		return certificatePair{there: true, text: "certificate without a key"}, nil
	}
	if err != nil {
		return certificatePair{}, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		// Not a word of the error: it is about a private key.
		return certificatePair{there: true, text: "certificate that does not fit its key, sha256:" + plan.Hash(chain)}, nil
	}
	leaf := pair.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
			return certificatePair{there: true, text: "certificate that can't be read, sha256:" + plan.Hash(chain)}, nil
		}
	}
	return certificatePair{leaf: leaf, there: true, text: "certificate sha256:" + plan.Hash(chain)}, nil
}
