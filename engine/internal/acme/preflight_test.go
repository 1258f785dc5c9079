package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/matryer/is"
)

func lookup(addrs []string, err error) func(context.Context, string) ([]string, error) {
	return func(context.Context, string) ([]string, error) { return addrs, err }
}

// preflight is one of a host whose port 80 is served by the handler, and whose CA is on loopback.
func preflight(t *testing.T, handler func(webroot string) http.Handler) *Preflight {
	t.Helper()
	webroot := t.TempDir()
	if err := os.MkdirAll(ChallengeDir(webroot), 0o755); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler(webroot))
	t.Cleanup(srv.Close)
	ids := 0
	return &Preflight{
		Webroot: webroot, DirectoryURL: "https://ca.example.com/dir", Own: srv.Listener.Addr().String(), FS: host.OS{},
		NewID:      func() string { ids++; return fmt.Sprint(ids) },
		LookupHost: lookup([]string{"127.0.0.1"}, nil),
	}
}

func TestARefusalByRulesIsNotBlamedOnFolders(t *testing.T) {
	for _, status := range []int{401, 403} {
		is := is.New(t)
		p := preflight(t, func(string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		})
		for dir := p.Webroot; dir != os.TempDir(); dir = filepath.Dir(dir) {
			is.NoErr(os.Chmod(dir, 0o755))
		}
		f := p.Check(t.Context(), []string{"shop.example.com"})
		is.Equal(f.Reason, Unauthorized)
		is.True(strings.Contains(f.Sentence, "rules of access"))
		is.True(!strings.Contains(f.Sentence, "folder"))
		is.NoErr(os.Chmod(p.Webroot, 0o700))
		f = p.Check(t.Context(), []string{"shop.example.com"})
		is.Equal(strings.Contains(f.Sentence, "folder"), true)
	}
}

func TestThePreflightFindsWhatWouldFailOnThisHost(t *testing.T) {
	always := func(status int, body string) func(string) http.Handler {
		return func(string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://elsewhere.example.com/")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
		}
	}
	files := func(webroot string) http.Handler { return http.FileServer(http.Dir(webroot)) }
	onlyFor := func(name string) func(string) http.Handler {
		return func(webroot string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host != name {
					http.NotFound(w, r)
					return
				}
				files(webroot).ServeHTTP(w, r)
			})
		}
	}
	for _, c := range []struct {
		name    string
		handler func(webroot string) http.Handler
		reason  Reason // "" where nothing is wrong
		detail  string
	}{
		{"the webroot is served", files, "", ""},
		{"CAs follow redirects", always(301, ""), "", ""},
		{"the workers can't enter the webroot", always(403, "no"), Unauthorized, "wrong answer: status 403"},
		{"another site serves the name", always(200, "welcome"), Unauthorized, "wrong answer: 200 with another text"},
		{"one of the names is another's", onlyFor("shop.example.com"), Unauthorized, "wrong answer: status 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			p := preflight(t, c.handler)
			f := p.Check(t.Context(), []string{"shop.example.com", "www.shop.example.com"})
			left, err := os.ReadDir(ChallengeDir(p.Webroot))
			is.NoErr(err)
			is.Equal(len(left), 0) // the token is gone
			if c.reason == "" {
				is.True(f == nil)
				return
			}
			is.True(f != nil)
			is.Equal(f.Reason, c.reason)
			is.Equal(f.Detail, c.detail)
			is.True(f.Local) // and the CA was not asked
		})
	}
}

func TestThePreflightTellsWhereNobodyAnswers(t *testing.T) {
	is := is.New(t)
	p := preflight(t, func(string) http.Handler { return http.NotFoundHandler() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	p.Own = l.Addr().String()
	is.NoErr(l.Close())
	f := p.Check(t.Context(), []string{"shop.example.com"})
	is.True(f != nil)
	is.Equal(f.Reason, Connection)
	is.Equal(f.Detail, "connection refused")

	p.Webroot = filepath.Join(p.Webroot, "gone")
	f = p.Check(t.Context(), []string{"shop.example.com"})
	is.True(f != nil)
	is.Equal(f.Reason, Unknown)
	is.True(strings.HasPrefix(f.Error(), "the webroot can't be written: "))
	is.True(f.Local)
}

func TestThePreflightBlamesTheDNSOnlyWhereItIsSure(t *testing.T) {
	is := is.New(t)
	p := probe{domain: "shop.example.com", path: "/x", want: "y"}
	f := p.ownAddress(t.Context(), lookup(nil, &net.DNSError{Err: "no such host", IsNotFound: true}))
	is.True(f != nil)
	is.Equal(f.Reason, DNS)
	is.True(p.ownAddress(t.Context(), lookup(nil, &net.DNSError{Err: "timeout", IsTimeout: true})) == nil) // the CA may know better
	is.True(p.ownAddress(t.Context(), lookup(nil, errors.New("?"))) == nil)
}

func TestOnlyACAOnTheInternetSeesNamesAsTheInternetDoes(t *testing.T) {
	for _, c := range []struct {
		name   string
		addrs  []string
		err    error
		public bool
	}{
		{"on the internet", []string{"8.8.8.8", "2001:4860:4860::8888"}, nil, true},
		{"on this host", []string{"127.0.0.1"}, nil, false},
		{"in a private network", []string{"10.0.0.7"}, nil, false},
		{"on the link", []string{"fe80::1"}, nil, false},
		{"on both sides", []string{"8.8.8.8", "192.168.1.1"}, nil, false},
		{"nowhere", nil, errors.New("no such host"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			p := &Preflight{DirectoryURL: "https://ca.example.com/dir", LookupHost: lookup(c.addrs, c.err)}
			is.Equal(p.publicCA(t.Context()), c.public)
		})
	}
}
