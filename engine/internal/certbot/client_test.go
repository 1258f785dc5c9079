package certbot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate/certificatetest"
	"github.com/matryer/is"
)

var shop = acme.Order{Lineage: "fpai-shop", Domains: []string{"shop.example.com"}, Email: "a@example.com", KeyType: "ecdsa"}

// A stub is a certbot that does what a test has it do. The engine's tests have the real one.
type stub struct {
	*Client
	dir string // holds certbot's directories, the program, and next
}

// start returns a client of a certbot of which each command is a piece of shell. $C is its configuration directory, and
// $NEXT holds the files of the certificate that [stub.next] has made.
func start(t *testing.T, commands map[string]string) *stub {
	t.Helper()
	is := is.New(t)
	s := &stub{dir: t.TempDir()}
	for _, d := range []string{"etc/live", "etc/archive", "etc/renewal", "etc/csr", "etc/keys", "log", "next", "acme/.well-known/acme-challenge"} {
		is.NoErr(os.MkdirAll(filepath.Join(s.dir, d), 0o755))
	}
	script := fmt.Sprintf("#!/bin/sh\nset -e\nC=%s/etc NEXT=%s/next\necho \"$@\" >>%[1]s/calls\ncase $1 in\n", s.dir, s.dir)
	if commands["--version"] == "" {
		script += "--version) echo certbot 2.1.0 ;;\n"
	}
	for name, shell := range commands {
		script += name + ")\n" + shell + "\n;;\n"
	}
	s.Client = New(Settings{
		Bin: filepath.Join(s.dir, "certbot"), ConfigDir: filepath.Join(s.dir, "etc"), LogsDir: filepath.Join(s.dir, "log"),
		DirectoryURL: "https://ca.example.com/dir", Webroot: filepath.Join(s.dir, "acme"), Timeout: time.Minute,
		FS: host.OS{}, Clock: time.Now,
	})
	is.NoErr(os.WriteFile(s.opts.Bin, []byte(script+"esac\n"), 0o755))
	return s
}

// next makes the certificate that the CA will issue.
func (s *stub) next(t *testing.T, domains ...string) {
	t.Helper()
	is := is.New(t)
	chain, key := certificatetest.SelfSigned(t, time.Now(), time.Now().Add(time.Hour), domains...)
	is.NoErr(os.WriteFile(filepath.Join(s.dir, "next", "fullchain.pem"), chain, 0o600))
	is.NoErr(os.WriteFile(filepath.Join(s.dir, "next", "privkey.pem"), key, 0o600))
}

// calls are the commands that certbot was given, without their arguments.
func (s *stub) calls() []string {
	b, _ := os.ReadFile(filepath.Join(s.dir, "calls"))
	var verbs []string
	for line := range strings.Lines(string(b)) {
		verbs = append(verbs, strings.Fields(line)[0])
	}
	return verbs
}

// kept are the files below certbot's configuration directory and the webroot.
func (s *stub) kept(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, root := range []string{"etc", "acme"} {
		err := filepath.WalkDir(filepath.Join(s.dir, root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				files = append(files, strings.TrimPrefix(path, s.dir+"/"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

const (
	issues = `mkdir -p $C/live/fpai-shop; cp $NEXT/* $C/live/fpai-shop; echo request >$C/csr/0001; echo key >$C/keys/0001
		echo token >${C%etc}acme/.well-known/acme-challenge/token
		printf 'authenticator = webroot\nwebroot_path = %sacme,\n' "${C%etc}" >$C/renewal/fpai-shop.conf`
	refuses = `echo "An unexpected error occurred:"; echo "policy forbids it"; exit 1`
)

func TestWhatWasAskedForIsObtainedAndNothingElseIsLeft(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"certonly": issues})
	s.next(t, "shop.example.com")
	is.True(s.Obtain(t.Context(), shop) == nil)
	is.Equal(s.kept(t), []string{"etc/live/fpai-shop/fullchain.pem", "etc/live/fpai-shop/privkey.pem", "etc/renewal/fpai-shop.conf"})
	l, err := s.now("fpai-shop")
	is.NoErr(err)
	is.True(l.Managed && l.Known && l.There)
	is.True(l.Covers(shop.Domains))
}

func TestTheCertificateIsWhatCountsAndNotCertbotsExitCode(t *testing.T) {
	for _, c := range []struct {
		name, certonly string
		names          []string // of the certificate that certbot puts there
		sentence       string   // "" where the certificate was obtained
	}{
		{"stopped on its very last steps", issues + "\nexit 1", []string{"shop.example.com"}, ""},
		{"a success without a certificate", "true", []string{"shop.example.com"}, "certbot reported success, but "},
		{"a certificate for other names", issues, []string{"blog.example.com"}, "certbot reported success, but "},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			s := start(t, map[string]string{"certonly": c.certonly})
			s.next(t, c.names...)
			f := s.Obtain(t.Context(), shop)
			if c.sentence == "" {
				is.True(f == nil)
				return
			}
			is.True(f != nil)
			is.True(strings.HasPrefix(f.Sentence, c.sentence))
			is.Equal(s.kept(t), nil)
		})
	}
}

func TestARenewalThatChangesNothingIsNone(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"certonly": issues})
	s.next(t, "shop.example.com")
	is.True(s.Obtain(t.Context(), shop) == nil)
	before := s.kept(t)
	f := s.Obtain(t.Context(), shop) // the same once more
	is.True(f != nil)
	is.Equal(s.kept(t), before) // and what was there before stays
}

func TestAFailedAttemptLeavesWhatWasThereBefore(t *testing.T) {
	is := is.New(t)
	half := `mkdir -p $C/archive/fpai-shop; echo half >$C/archive/fpai-shop/cert1.pem; echo half >$C/renewal/fpai-shop.conf
		echo request >$C/csr/0002; echo key >$C/keys/0002; echo token >${C%etc}acme/.well-known/acme-challenge/token
		` + refuses
	s := start(t, map[string]string{"certonly": half})
	theirs := filepath.Join(s.dir, "etc", "keys", "0001")
	is.NoErr(os.WriteFile(theirs, nil, 0o600))
	f := s.Obtain(t.Context(), shop)
	is.True(f != nil)
	is.Equal(f.Reason, acme.Rejected)
	is.Equal(s.kept(t), []string{"etc/keys/0001"})
	_, err := os.Stat(filepath.Join(s.dir, "etc", "archive", "fpai-shop"))
	is.True(errors.Is(err, fs.ErrNotExist)) // nor a folder
}

func TestADamagedLineageIsDeletedBeforeItIsObtainedAnew(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"certonly": issues, "delete": "rm -r $C/renewal/fpai-shop.conf"})
	s.next(t, "shop.example.com")
	is.NoErr(os.WriteFile(s.path(renewalDir, "fpai-shop.conf"), nil, 0o600)) // in the books, and no files
	is.True(s.Obtain(t.Context(), shop) == nil)
	is.Equal(s.calls(), []string{"--version", "delete", "certonly"})
}

func TestCertbotIsCheckedBeforeTheCAIsAsked(t *testing.T) {
	for _, c := range []struct {
		name, version string
		reason        acme.Reason
		text          string
	}{
		{"too old", "echo certbot 1.11.0", tooOld, "certbot 1.11.0 is too old: 1.12.0 is the oldest that is supported"},
		{"not a version", "echo certbot 2.1:", missing, "certbot's version can't be read (CERTBOT_BIN): "},
		{"another program", "echo hello", missing, "certbot is not there: install it, or set CERTBOT_BIN: its answer to --version has no version: "},
		{"broken", "exit 3", missing, "certbot is not there: install it, or set CERTBOT_BIN: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			s := start(t, map[string]string{"--version": c.version, "certonly": issues, "delete": "true"})
			for _, f := range []*acme.Failure{s.Obtain(t.Context(), shop), s.Delete(t.Context(), shop.Lineage)} {
				is.True(f != nil)
				is.Equal(f.Reason, c.reason)
				is.True(strings.HasPrefix(f.Error(), c.text)) // f
				is.True(f.Local)
			}
			is.True(!slices.Contains(s.calls(), "certonly"))
			is.True(!slices.Contains(s.calls(), "delete"))
		})
	}
	is := is.New(t)
	s := start(t, nil)
	is.NoErr(os.Remove(s.opts.Bin))
	f := s.Delete(t.Context(), shop.Lineage)
	is.True(f != nil)
	is.Equal(f.Reason, missing)
}

func TestTheVersionIsAskedForAgainOnlyWhenTheProgramChanges(t *testing.T) {
	is := is.New(t)
	s := start(t, nil)
	for range 2 {
		v, err := s.Version(t.Context())
		is.NoErr(err)
		is.Equal(v, "2.1.0")
	}
	is.Equal(s.calls(), []string{"--version"})
	is.NoErr(os.WriteFile(s.opts.Bin, []byte("#!/bin/sh\necho certbot 3.3.0.dev0\n"), 0o755))
	v, err := s.Version(t.Context())
	is.NoErr(err)
	is.Equal(v, "3.3.0.dev0")
}

func TestThePreflightSparesTheCA(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"certonly": issues})
	s.opts.Preflight = &acme.Preflight{Webroot: "/nowhere", FS: host.OS{}, NewID: func() string { return "1" }}
	f := s.Obtain(t.Context(), shop)
	is.True(f != nil)
	is.True(f.Local)
	is.Equal(s.calls(), []string{"--version"})
}

func TestACertbotThatHangsOrIsBusyIsNotWaitedForForEver(t *testing.T) {
	is := is.New(t)
	s := start(t, map[string]string{"delete": "echo Another instance of Certbot is already running.; exit 1"})
	f := s.Delete(t.Context(), shop.Lineage)
	is.True(f != nil)
	is.Equal(f.Reason, locked)

	s.opts.LockWait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	f = s.Delete(ctx, shop.Lineage) // whoever asks may give up earlier
	is.True(f != nil)

	s = start(t, map[string]string{"delete": "sleep 60"})
	s.opts.Timeout = 50 * time.Millisecond
	f = s.Delete(t.Context(), shop.Lineage)
	is.True(f != nil)
	is.Equal(f.Reason, acme.Timeout)
	is.Equal(f.Error(), "certbot was not done within 50ms and was stopped")
	is.True(!f.Local) // the CA may have been asked
}

func TestOnlyWhatThisRunHasLoggedTellsWhyItFailed(t *testing.T) {
	is := is.New(t)
	const problem = "acme.messages.Error: urn:ietf:params:acme:error:"
	s := start(t, map[string]string{"delete": "echo '" + problem + "caa :: new' >>${C%etc}log/letsencrypt.log; exit 1"})
	log := filepath.Join(s.opts.LogsDir, "letsencrypt.log")
	is.NoErr(os.WriteFile(log, []byte(problem+"rateLimited :: of yesterday\n"), 0o600))
	f := s.Delete(t.Context(), shop.Lineage)
	is.True(f != nil)
	is.Equal(f.Reason, acme.CAA)
}

func TestCertbotsArgumentsCannotBecomeOthers(t *testing.T) {
	is := is.New(t)
	s := start(t, nil)
	for _, arg := range s.args("certonly", s.certonlyArgs(acme.Order{Lineage: "fpai-shop", Domains: []string{"--deploy-hook=x"}, Email: "-m", KeyType: "ecdsa"}))[1:] {
		is.True(arg == "--webroot" || arg == "--agree-tos" || arg == "--no-eff-email" || arg == "--force-renewal" || arg == "--non-interactive" ||
			arg == "--renew-with-new-domains" || strings.HasPrefix(arg, "--") && strings.Index(arg, "=") > 3) // a flag of ours, with its value behind it
	}
}

func TestCertbotSeesNothingSecretOfTheEnvironment(t *testing.T) {
	is := is.New(t)
	t.Setenv("FPAI_API_TOKEN", "secret")
	t.Setenv("REQUESTS_CA_BUNDLE", "/etc/ca.pem")
	env := environment("/tmp/x")
	is.True(!strings.Contains(strings.Join(env, "\n"), "secret"))
	is.True(slices.Contains(env, "REQUESTS_CA_BUNDLE=/etc/ca.pem"))
	is.True(slices.Contains(env, "TMPDIR=/tmp/x"))
}
