package facade

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// asked returns a request for a Host that came in by a connection to an address.
func asked(host string, local net.Addr) *http.Request {
	r := httptest.NewRequest("GET", "/proxies", nil)
	r.Host = host
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
}

func TestTheServerAnswersToItsOwnNamesAndToNoOther(t *testing.T) {
	is := is.New(t)
	own, err := os.Hostname()
	is.NoErr(err)
	tcp := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 8100}
	six := &net.TCPAddr{IP: net.ParseIP("fe80::7"), Port: 8100, Zone: "eth0"}
	unix := &net.UnixAddr{Name: "/run/pm.sock", Net: "unix"}
	names := ownNames([]string{"proxy-manager", "PM.example.com.", "pinned.example.com:8443", "tls.example.com:443", "2001:db8::5", "[2001:db8::6]:9000", "0.0.0.0", "::"})
	for _, test := range []struct {
		host  string
		local net.Addr
		want  bool
	}{
		{"localhost:8100", tcp, true},
		{"localhost:9000", tcp, true}, // the near end of a tunnel
		{"localhost", tcp, true},
		{"LocalHost.:8100", tcp, true},
		{"127.0.0.1:1", tcp, true},
		{"127.8.9.1", tcp, true},
		{"[::1]:8100", tcp, true},
		{"[::1]", tcp, true},
		{"[::ffff:127.0.0.1]:8100", tcp, true},
		{own, tcp, true},
		{strings.ToUpper(own) + ":8100", tcp, true},
		{"192.0.2.7:8100", tcp, true},
		{"192.0.2.7:80", tcp, true},
		{"[fe80::7%25eth0]:8100", six, true},
		{"[fe80::7]:8100", six, true},
		{"proxy-manager:8100", tcp, true},
		{"pm.example.com", tcp, true},
		{"PM.Example.com:443", tcp, true},
		{"pinned.example.com:8443", tcp, true},
		{"pinned.example.com:8444", tcp, false},
		{"pinned.example.com", tcp, false},
		{"tls.example.com", tcp, true}, // as browsers write it
		{"[2001:db8::5]:8100", tcp, true},
		{"[2001:db8::6]:9000", tcp, true},
		{"[2001:db8::6]:9001", tcp, false},

		{"", tcp, false},
		{"evil.example.com", tcp, false},
		{"evil.example.com:8100", tcp, false},
		{"localhost.evil.example.com:8100", tcp, false},
		{"127.0.0.1.evil.example.com", tcp, false},
		{"evil-pm.example.com", tcp, false},
		{"localhost@evil.example.com", tcp, false},
		{"evil.example.com@localhost", tcp, false},
		{"evil.example.com#localhost", tcp, false},
		{"localhost:8100:8100", tcp, false},
		{"localhost:x", tcp, false},
		{"localhost:0", tcp, false},
		{"localhost:65536", tcp, false},
		{"localhost..", tcp, false},
		{"::1", tcp, false},
		{"[::1", tcp, false},
		{"[localhost]", tcp, false},
		{"[127.0.0.1]", tcp, false},
		{"192.0.2.8:8100", tcp, false},
		{"0.0.0.0:8100", tcp, false},
		{"[::]:8100", tcp, false},
		{"2130706433", tcp, false}, // 127.0.0.1, to some
		{"lo\u212Aalhost", tcp, false},

		{"", unix, true},
		{"unix", unix, true},
		{"docker:80", unix, true},
		{"localhost", unix, true},
		{"pm.example.com", unix, true},
		{"evil.example.com", unix, false}, // through a proxy
		{"192.0.2.7", unix, false},
	} {
		if got := hostAllowed(asked(test.host, test.local), names); got != test.want {
			t.Errorf("%q on %v: %v", test.host, test.local, got)
		}
	}
}

func TestAPageIsOurOwnIfItsOriginIsWhatTheBrowserCallsUsBy(t *testing.T) {
	for _, test := range []struct {
		origin, host string
		want         bool
	}{
		{"http://localhost:9000", "localhost:9000", true},
		{"http://LOCALHOST:9000", "localhost:9000", true},
		{"https://pm.example.com", "pm.example.com", true},
		{"https://pm.example.com", "pm.example.com:443", true},
		{"http://[::1]:8100", "[::1]:8100", true},
		{"http://localhost:3000", "localhost:9000", false},
		{"http://localhost", "localhost:9000", false},
		{"https://pm.example.com:8443", "pm.example.com", false},
		{"http://evil.example.com", "localhost:9000", false},
		{"http://localhost:9000/", "localhost:9000", false},
		{"http://x@localhost:9000", "localhost:9000", false},
		{"ftp://localhost:9000", "localhost:9000", false},
		{"null", "localhost:9000", false},
		{"", "localhost:9000", false},
		{"http://", "", false},
	} {
		if got := sameOrigin(test.origin, test.host); got != test.want {
			t.Errorf("Origin %q for Host %q: %v", test.origin, test.host, got)
		}
	}
}
