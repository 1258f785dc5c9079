package upstream_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/upstream"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func TestAnAddressIsDeniedHoweverItIsWritten(t *testing.T) {
	metadata := upstream.NewDeny([]netip.Prefix{netip.MustParsePrefix("169.254.0.0/16")})
	mapped := upstream.NewDeny([]netip.Prefix{netip.MustParsePrefix("::ffff:169.254.0.0/112")})
	for name, addr := range map[string]string{
		"as it is":            "169.254.169.254",
		"mapped":              "::ffff:169.254.169.254",
		"compatible":          "::169.254.169.254",
		"translated":          "::ffff:0:169.254.169.254",
		"NAT64":               "64:ff9b::a9fe:a9fe",
		"NAT64, local, of 96": "64:ff9b:1::a9fe:a9fe",
		"NAT64, local, of 48": "64:ff9b:1:a9fe:a9:fe00::",
		"NAT64, local, of 56": "64:ff9b:1:a9:fe:a9fe::",
		"NAT64, local, of 64": "64:ff9b:1:0:a9:fea9:fe00:0",
		"6to4":                "2002:a9fe:a9fe::1",
		"Teredo":              "2001:0:1:1::5601:5601",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			for _, deny := range []upstream.Deny{metadata, mapped} {
				network, denied := deny.Match(netip.MustParseAddr(addr))
				is.True(denied)
				is.Equal(network.String(), "169.254.0.0/16")
			}
		})
	}
	for _, addr := range []string{"169.253.0.1", "64:ff9b::a00:1", "2001:db8::a9fe:a9fe", "2002:a00:1::a9fe:a9fe", "::1"} {
		t.Run("not "+addr, func(t *testing.T) {
			_, denied := metadata.Match(netip.MustParseAddr(addr))
			is.New(t).True(!denied)
		})
	}
}

func TestTheAddressOfNobodyIsLoopbacks(t *testing.T) {
	is := is.New(t)
	for deny, addr := range map[string]string{"127.0.0.0/8": "0.0.0.0", "::1/128": "::"} {
		_, denied := upstream.NewDeny([]netip.Prefix{netip.MustParsePrefix(deny)}).Match(netip.MustParseAddr(addr))
		is.True(denied)
	}
}

func network(servers ...*enginetest.Names) *upstream.Network {
	n := &upstream.Network{
		Settings: resources.Settings{IPv6: true}, Timeout: 300 * time.Millisecond, System: net.DefaultResolver.LookupHost,
	}
	for _, s := range servers {
		n.Settings.Resolvers = append(n.Settings.Resolvers, s.Server())
	}
	return n
}

func TestANameIsLookedUpByNginxsServersAlone(t *testing.T) {
	names := enginetest.StartNames(t)
	names.Set("both.test", "192.0.2.1", "2001:db8::1")
	names.Set("six.test", "2001:db8::1")
	names.Set("none.test")
	names.SetLong("long.test", "192.0.2.2")
	names.Alias("alias.test", "other.test")
	names.Alias("other.test", "both.test")
	names.Alias("circle.test", "circle.test")
	names.Fail("broken.test", 2)
	names.Silence("silent.test")
	for _, tc := range []struct {
		host, want string
		ipv6       bool
	}{
		{"both.test", "192.0.2.1 2001:db8::1", true},
		{"both.test", "192.0.2.1", false},
		{"alias.test", "192.0.2.1 2001:db8::1", true},
		{"long.test", "192.0.2.2", true},
		{"six.test", "2001:db8::1", true},
		{"six.test", "has no address for six.test", false},
		{"none.test", "has no address for none.test", true},
		{"unknown.test", "does not know unknown.test (NXDOMAIN): use an address, or make a DNS record", true},
		{"broken.test", "SERVFAIL", true},
		{"silent.test", "did not answer within 300ms", true},
		{"circle.test", "from one alias to the next", true},
		{"localhost", "127.0.0.1 ::1", true},
		{"localhost", "127.0.0.1", false},
		{"192.0.2.9", "192.0.2.9", true},
	} {
		t.Run(tc.host+" "+strconv.FormatBool(tc.ipv6), func(t *testing.T) {
			is := is.New(t)
			n := network(names)
			n.Settings.IPv6 = tc.ipv6
			addrs, err := n.Lookup(t.Context(), tc.host)
			if err != nil {
				is.True(strings.Contains(err.Error(), tc.want))
				return
			}
			is.Equal(strings.Trim(strings.Join(strings.Fields(textOf(addrs)), " "), " "), tc.want)
		})
	}
}

func textOf(addrs []netip.Addr) string {
	var b strings.Builder
	for _, a := range addrs {
		b.WriteString(a.String() + " ")
	}
	return b.String()
}

func TestANameThatOnlyTheHostKnowsIsNoneForNginx(t *testing.T) {
	is := is.New(t)
	name := hostsName(t)
	_, err := network(enginetest.StartNames(t)).Lookup(t.Context(), name)
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "/etc/hosts"))
	is.True(strings.Contains(err.Error(), "use an address, or make a DNS record"))
}

// hostsName returns a name that this host's /etc/hosts has.
func hostsName(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/etc/hosts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(line, "#")
		for i, field := range strings.Fields(line) {
			if i > 0 && field != "localhost" {
				return field
			}
		}
	}
	t.Skip("/etc/hosts has no name but localhost")
	return ""
}

func TestEveryServerThatNginxAsksInItsTurnHasToKnowTheName(t *testing.T) {
	is := is.New(t)
	one, two := enginetest.StartNames(t), enginetest.StartNames(t)
	one.Set("app.test", "192.0.2.1")
	addrs, err := network(one, two).Lookup(t.Context(), "app.test")
	is.True(strings.Contains(err.Error(), two.Server().String()+" does not know app.test"))
	is.Equal(textOf(addrs), "192.0.2.1 ") // what is known counts for what is denied
	two.Set("app.test", "192.0.2.1", "192.0.2.2")
	addrs, err = network(one, two).Lookup(t.Context(), "app.test")
	is.NoErr(err)
	is.Equal(textOf(addrs), "192.0.2.1 192.0.2.2 ")
}

func TestAnInterruptionIsNoTimeout(t *testing.T) {
	is := is.New(t)
	names := enginetest.StartNames(t)
	names.Silence("silent.test")
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
	_, err := network(names).Lookup(ctx, "silent.test")
	is.Equal(err, stop)

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	defer silent.Close()
	u := resources.Upstream{Scheme: "http", Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	a, err := network(names).Ask(t.Context(), u, "/health", addrs)
	is.NoErr(err)
	is.Equal(a.Reason, "did not answer within 300ms")
	ctx, cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
	_, err = network(names).Ask(ctx, u, "/health", addrs)
	is.Equal(err, stop)
}

func TestOneAddressOfANameThatAnswersIsEnoughAndTheOthersAreTold(t *testing.T) {
	is := is.New(t)
	service := httptest.NewServer(http.NotFoundHandler())
	defer service.Close()
	port := service.Listener.Addr().(*net.TCPAddr).Port
	service.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	u := resources.Upstream{Scheme: "http", Host: "app.test", Port: port}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")}
	a, err := network().Ask(t.Context(), u, "/", addrs)
	is.NoErr(err)
	is.Equal(a.Reason, "")
	is.Equal(a.Failing, []string{netip.AddrPortFrom(addrs[1], uint16(port)).String() + " refuses connections"})

	u.Host = "localhost" // nginx asks the second address when the first fails
	a, err = network().Ask(t.Context(), u, "/", []netip.Addr{addrs[1], addrs[0]})
	is.NoErr(err)
	is.Equal(a.Reason, "")
	service.Config.Handler = http.NotFoundHandler()
	a, err = network().Ask(t.Context(), u, "/", []netip.Addr{addrs[0], addrs[1]})
	is.NoErr(err)
	is.Equal(a.Reason, "answered 404") // an answer is passed on
}

func FuzzADNSServerMayAnswerAnything(f *testing.F) {
	f.Add([]byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 192, 0, 2, 1})
	f.Add([]byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1, 0xc0, 27, 0xc0, 25, 0, 0})
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	defer conn.Close()
	f.Fuzz(func(t *testing.T, answer []byte) {
		go func() {
			buf := make([]byte, 512)
			if n, from, err := conn.ReadFrom(buf); err == nil && n > 2 {
				_, _ = conn.WriteTo(append(buf[:2:2], answer...), from)
			}
		}()
		n := &upstream.Network{Timeout: 50 * time.Millisecond, System: net.DefaultResolver.LookupHost}
		n.Settings.Resolvers = []netip.AddrPort{conn.LocalAddr().(*net.UDPAddr).AddrPort()}
		addrs, err := n.Lookup(t.Context(), "a")
		if err == nil && len(addrs) == 0 {
			t.Error("neither an address nor an error")
		}
	})
}
