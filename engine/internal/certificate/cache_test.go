package certificate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate/certificatetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

// A reading counts how often files are read.
type reading struct {
	host.OS
	files int
}

func (r *reading) ReadFile(name string) ([]byte, error) {
	r.files++
	return r.OS.ReadFile(name)
}

// later is a clock by which all that is on disk is old enough to be believed.
func later() time.Time { return time.Now().Add(time.Hour) }

// write puts a chain and a key where certbot does: as links from live to archive.
func write(t *testing.T, dir, version string, chain, key []byte) resources.CertificateFiles {
	t.Helper()
	is := is.New(t)
	for _, d := range []string{"archive", "live"} {
		is.NoErr(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for name, content := range map[string][]byte{"fullchain": chain, "privkey": key} {
		link, target := filepath.Join(dir, "live", name+".pem"), filepath.Join("..", "archive", name+version+".pem")
		is.NoErr(os.WriteFile(filepath.Join(dir, "live", target), content, 0o600))
		is.NoErr(os.RemoveAll(link))
		is.NoErr(os.Symlink(target, link))
	}
	return resources.CertificateFiles{Fullchain: filepath.Join(dir, "live", "fullchain.pem"), PrivateKey: filepath.Join(dir, "live", "privkey.pem")}
}

func TestACertificateIsReadOnceUntilItIsAnother(t *testing.T) {
	is := is.New(t)
	dir, now := t.TempDir(), time.Now()
	chain, key := certificatetest.SelfSigned(t, now, now.Add(time.Hour), "shop.example.com")
	files := write(t, dir, "1", chain, key)
	fsys := &reading{}
	cache := certificate.NewCache(fsys, later)
	first, err := cache.Read(files)
	is.NoErr(err)
	is.Equal(first.Leaf.DNSNames, []string{"shop.example.com"})
	again, err := cache.Read(files)
	is.NoErr(err)
	is.Equal(again, first)
	is.Equal(fsys.files, 2) // the chain and the key, once each

	chain, key = certificatetest.SelfSigned(t, now, now.Add(time.Hour), "shop.example.com")
	write(t, dir, "2", chain, key) // as a renewal does
	renewed, err := cache.Read(files)
	is.NoErr(err)
	is.True(certificate.Serial(renewed.Leaf) != certificate.Serial(first.Leaf))
	is.True(renewed.Fingerprint != first.Fingerprint)
}

func TestWhatWasWrittenJustNowIsNotBelievedFromMemory(t *testing.T) {
	is := is.New(t)
	now := time.Now()
	chain, key := certificatetest.SelfSigned(t, now, now.Add(time.Hour), "shop.example.com")
	files := write(t, t.TempDir(), "1", chain, key)
	fsys := &reading{}
	cache := certificate.NewCache(fsys, func() time.Time { return now })
	for range 2 {
		_, err := cache.Read(files)
		is.NoErr(err)
	}
	is.Equal(fsys.files, 4)
}

func TestWhatNginxCouldNotLoadIsThereAndHasNoLeaf(t *testing.T) {
	now := time.Now()
	chain, key := certificatetest.SelfSigned(t, now, now.Add(time.Hour), "shop.example.com")
	_, other := certificatetest.SelfSigned(t, now, now.Add(time.Hour), "shop.example.com")
	for _, c := range []struct {
		name, fingerprint string
		chain, key        []byte
		there             bool
	}{
		{"nothing", "absent", nil, nil, false},
		{"no key", "certificate without a key", chain, nil, true},
		{"another's key", "certificate that does not fit its key, sha256:", chain, other, true},
		{"no certificate", "certificate that does not fit its key, sha256:", []byte("nonsense"), key, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			files := write(t, dir, "1", c.chain, c.key)
			for name, content := range map[string][]byte{"fullchain": c.chain, "privkey": c.key} {
				if content == nil {
					is.NoErr(os.Remove(filepath.Join(dir, "archive", name+"1.pem")))
				}
			}
			p, err := certificate.NewCache(host.OS{}, later).Read(files)
			is.NoErr(err)
			is.True(p.Leaf == nil)
			is.Equal(p.There, c.there)
			is.True(strings.HasPrefix(p.Fingerprint, c.fingerprint))
		})
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	_, err := certificate.NewCache(host.OS{}, later).Read(resources.CertificateFiles{Fullchain: dir, PrivateKey: dir})
	is.True(err != nil)
}
