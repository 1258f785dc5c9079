package certbot

import (
	"os"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func TestOnlyLineagesOfOurNameAndOurWebrootAreOurs(t *testing.T) {
	const renewal = "version = 2.1.0\n[renewalparams]\nauthenticator = webroot\nwebroot_path = /var/lib/proxy-manager/acme,\n[[webroot_map]]\na = /x\n"
	for _, c := range []struct {
		name, lineage, webroot, renewal string
		ours                            bool
	}{
		{"ours", "fpai-shop", "/var/lib/proxy-manager/acme", renewal, true},
		{"another name", "shop", "/var/lib/proxy-manager/acme", renewal, false},
		{"another webroot", "fpai-shop", "/srv/www", renewal, false},
		{"another way to answer", "fpai-shop", "/var/lib/proxy-manager/acme", "authenticator = dns-ovh\n", false},
		{"not in certbot's books", "fpai-shop", "/var/lib/proxy-manager/acme", "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(New(Settings{FS: host.OS{}, Webroot: c.webroot}).manages(c.lineage, readRenewal([]byte(c.renewal))), c.ours)
		})
	}
}

func TestLineagesAreListedAlsoWhereOnlyPartsAreThere(t *testing.T) {
	is := is.New(t)
	s := start(t, nil)
	for _, dir := range []string{"fpai-shop", "fpai-api", "wild"} {
		is.NoErr(os.Mkdir(s.path(liveDir, dir), 0o755))
	}
	for _, file := range []string{s.path(liveDir, "README"), s.path(renewalDir, "fpai-shop.conf"), s.path(renewalDir, "fpai-lost.conf")} {
		is.NoErr(os.WriteFile(file, nil, 0o600))
	}
	observer := host.NewObserver(host.OS{}, host.NewCache(s.opts.Clock))
	names, err := s.Names(observer, "fpai-")
	is.NoErr(err)
	is.Equal(names, []string{"fpai-api", "fpai-lost", "fpai-shop"})
	names, err = s.Names(observer, "")
	is.NoErr(err)
	is.Equal(names, []string{"fpai-api", "fpai-lost", "fpai-shop", "wild"})
}

func TestAPlanDependsOnAllThatALineageIs(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"certonly": issues})
	s.next(t, "shop.example.com")
	is.True(s.Obtain(t.Context(), shop) == nil)
	observer := host.NewObserver(host.OS{}, host.NewCache(s.opts.Clock))
	_, err := s.Lineage(observer, "fpai-shop")
	is.NoErr(err)
	_, err = s.Lineage(observer, "fpai-none")
	is.NoErr(err)
	var seen []string
	for _, f := range observer.Fingerprints() {
		state, _, _ := strings.Cut(f.State, " ")
		seen = append(seen, strings.TrimPrefix(f.Path, s.dir+"/")+" "+state)
	}
	is.Equal(seen, []string{
		"etc/live/fpai-none/fullchain.pem absent", "etc/live/fpai-shop/fullchain.pem certificate",
		"etc/renewal/fpai-none.conf absent", "etc/renewal/fpai-shop.conf file",
	})
}

func TestFilesThatCannotBeReadAreAnErrorAndNoAbsence(t *testing.T) {
	is := is.New(t)
	s := start(t, nil)
	is.NoErr(os.MkdirAll(s.path(liveDir, "fpai-shop", "fullchain.pem"), 0o755)) // a folder
	_, err := s.Lineage(host.NewObserver(host.OS{}, host.NewCache(s.opts.Clock)), "fpai-shop")
	is.True(err != nil)
	is.True(strings.HasPrefix(err.Error(), "read a certificate; run as the user that owns certbot's files: "))
}
