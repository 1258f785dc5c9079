package enginetest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// Names is a DNS server that knows the names it was told, and no others: what an engine's Nginx.Resolvers lead to.
//
//	names := enginetest.StartNames(t)
//	names.Set("app.internal", "127.0.0.1", "::1")
type Names struct {
	udp net.PacketConn
	tcp net.Listener

	mu    sync.Mutex
	known map[string]record
	asked int
}

// A record is what is answered for a name: addresses, another name, or an error code.
type record struct {
	addrs  []netip.Addr
	alias  string
	code   byte
	code6  byte // for questions about IPv6
	silent bool
	byTCP  bool
}

// StartNames starts a DNS server on 127.0.0.1, by UDP and TCP, that ends with the test.
func StartNames(t testing.TB) *Names {
	t.Helper()
	n := &Names{known: map[string]record{}}
	for range 20 { // the port has to be free for both
		var err error
		if n.udp, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		if n.tcp, err = net.Listen("tcp", n.udp.LocalAddr().String()); err == nil {
			break
		}
		_ = n.udp.Close()
	}
	if n.tcp == nil {
		t.Fatal("enginetest: no port is free for UDP and TCP")
	}
	t.Cleanup(func() { _, _ = n.udp.Close(), n.tcp.Close() })
	go n.serveUDP()
	go n.serveTCP()
	return n
}

// Server returns the server's address.
func (n *Names) Server() netip.AddrPort { return n.udp.LocalAddr().(*net.UDPAddr).AddrPort() }

// Asked returns how many questions have come.
func (n *Names) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// Set makes a name resolve to addresses, IPv4 or IPv6.
func (n *Names) Set(name string, addrs ...string) {
	var r record
	for _, a := range addrs {
		r.addrs = append(r.addrs, netip.MustParseAddr(a))
	}
	n.set(name, r)
}

// SetLong makes a name resolve to addresses which are said by TCP alone.
func (n *Names) SetLong(name, addr string) {
	n.set(name, record{addrs: []netip.Addr{netip.MustParseAddr(addr)}, byTCP: true})
}

// Alias makes a name an alias of another (CNAME), whose addresses are not answered along with it.
func (n *Names) Alias(name, of string) { n.set(name, record{alias: of}) }

// Fail makes questions for a name end with an error code, such as 2 for SERVFAIL.
func (n *Names) Fail(name string, code byte) { n.set(name, record{code: code}) }

// FailIPv6 makes a name resolve to an IPv4 address, and questions for its IPv6 addresses end with an error code.
func (n *Names) FailIPv6(name, addr string, code byte) {
	n.set(name, record{addrs: []netip.Addr{netip.MustParseAddr(addr)}, code6: code})
}

// Silence leaves questions for a name without an answer.
func (n *Names) Silence(name string) { n.set(name, record{silent: true}) }

func (n *Names) set(name string, r record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.known[strings.ToLower(name)] = r
}

func (n *Names) serveUDP() {
	buf := make([]byte, 4096)
	for {
		size, from, err := n.udp.ReadFrom(buf)
		if err != nil {
			return
		}
		if msg := n.answer(buf[:size], true); msg != nil {
			_, _ = n.udp.WriteTo(msg, from)
		}
	}
}

func (n *Names) serveTCP() {
	for {
		conn, err := n.tcp.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			msg := n.answer(query, false)
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
		}()
	}
}

// answer makes the message that answers a query (RFC 1035, 4.1); nil for none.
func (n *Names) answer(query []byte, udp bool) []byte {
	name, end := nameIn(query)
	if end == 0 {
		return nil
	}
	n.mu.Lock()
	r, ok := n.known[strings.ToLower(name)]
	n.asked++
	n.mu.Unlock()
	if r.silent {
		return nil
	}
	if !ok {
		r.code = 3 // NXDOMAIN
	}
	if query[end-3] == 28 && r.code6 != 0 {
		r = record{code: r.code6}
	}
	msg := append([]byte{query[0], query[1], 0x81, 0x80 | r.code, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if udp && r.byTCP {
		msg[2] |= 0x02 // truncated
		return msg
	}
	if r.alias != "" {
		msg[7]++
		msg = appendRecord(msg, 5, nameBytes(r.alias))
	}
	for _, a := range r.addrs {
		if a.Is4() == (query[end-3] == 1) {
			msg[7]++
			msg = appendRecord(msg, query[end-3], a.AsSlice())
		}
	}
	return msg
}

// appendRecord adds a record of the name in question, for a second.
func appendRecord(msg []byte, kind byte, data []byte) []byte {
	msg = append(msg, 0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1)
	return append(binary.BigEndian.AppendUint16(msg, uint16(len(data))), data...)
}

func nameBytes(name string) (b []byte) {
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}

// nameIn returns the name that a query is about, and where the question ends.
func nameIn(query []byte) (name string, end int) {
	var labels []string
	for at := 12; at < len(query); {
		size := int(query[at])
		if size == 0 && at+5 <= len(query) {
			return strings.Join(labels, "."), at + 5
		}
		if size == 0 || at+1+size > len(query) {
			break
		}
		labels = append(labels, string(query[at+1:at+1+size]))
		at += 1 + size
	}
	return "", 0
}
