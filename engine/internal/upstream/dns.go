package upstream

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// nginx has a resolver of its own: no /etc/hosts, no search list. Go's package net reads /etc/hosts before it asks any server
// that it is told to, whatever form a name has, so the few messages of RFC 1035 that are needed are written here.

const (
	typeA     = 1
	typeCNAME = 5
	typeAAAA  = 28
	classIN   = 1
)

// maxAliases bounds how many CNAME records are followed one after the other.
const maxAliases = 16

// resendAfter is when a datagram is taken for lost.
const resendAfter = 400 * time.Millisecond

var errMalformed = errors.New("its answer is no DNS")

// A refusal is a DNS server's own word that it has no address (RFC 1035, 4.1.1).
type refusal int

const (
	noAddress refusal = 0 // "no error", and no address
	nameError refusal = 3
)

func (r refusal) Error() string {
	switch r {
	case noAddress:
		return "has no address for the name"
	case 2:
		return "fails to resolve the name (SERVFAIL)"
	case nameError:
		return "does not know the name (NXDOMAIN)"
	case 5:
		return "refuses to resolve the name (REFUSED)"
	default:
		return fmt.Sprintf("answers with the error code %d", int(r))
	}
}

// A server is one DNS server.
type server netip.AddrPort

// lookup asks for the addresses of an absolute name. An error of either family's is one: nginx gives up then, too.
func (s server) lookup(ctx context.Context, name string, ipv6 bool) ([]netip.Addr, error) {
	types := []uint16{typeA}
	if ipv6 {
		types = append(types, typeAAAA)
	}
	found, errs := make([][]netip.Addr, len(types)), make([]error, len(types))
	done := make(chan int, len(types))
	for i, t := range types {
		go func() {
			found[i], errs[i] = s.follow(ctx, name, t)
			done <- i
		}()
	}
	for range types {
		<-done
	}
	addrs := slices.Concat(found...)
	if err := errors.Join(errs...); err != nil {
		return addrs, firstOf(errs)
	}
	if len(addrs) == 0 {
		return nil, noAddress
	}
	return addrs, nil
}

func firstOf(errs []error) error {
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	return errs[i]
}

// follow asks for the addresses of one family, and goes after aliases that come without them.
func (s server) follow(ctx context.Context, name string, qtype uint16) ([]netip.Addr, error) {
	for range maxAliases {
		addrs, alias, err := s.ask(ctx, name, qtype)
		if err != nil || len(addrs) > 0 || alias == "" {
			return addrs, err
		}
		name = alias
	}
	return nil, fmt.Errorf("leads from one alias to the next, more than %d times", maxAliases)
}

// ask sends one question: by UDP, and by TCP where the answer does not fit.
func (s server) ask(ctx context.Context, name string, qtype uint16) (addrs []netip.Addr, alias string, err error) {
	query := question(uint16(rand.Uint32()), name, qtype)
	for _, exchange := range []func(context.Context, []byte) ([]byte, error){s.udp, s.tcp} {
		var msg []byte
		if msg, err = exchange(ctx, query); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return nil, "", err
		}
		if msg[2]&truncated == 0 {
			return answers(msg, len(query), qtype)
		}
	}
	return nil, "", errMalformed
}

const headerLen = 12

// Bits of a header's third byte.
const (
	response         = 0x80
	truncated        = 0x02
	recursionDesired = 0x01
)

// question is a message that asks for one type of record of a name. The name has been checked: its labels fit.
func question(id uint16, name string, qtype uint16) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, recursionDesired, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(name, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, qtype)
	return binary.BigEndian.AppendUint16(b, classIN)
}

// replies reports whether a message answers a question, which it repeats.
func replies(msg, query []byte) bool {
	return len(msg) >= len(query) && msg[2]&response != 0 && bytes.Equal(msg[:2], query[:2]) && msg[5] == 1 && msg[4] == 0 &&
		bytes.EqualFold(msg[headerLen:len(query)], query[headerLen:])
}

func (s server) udp(ctx context.Context, query []byte) ([]byte, error) {
	conn, err := s.dial(ctx, "udp")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Write(query); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(resendAfter))
		for {
			n, err := conn.Read(buf)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && ctx.Err() == nil {
				break
			}
			if err != nil {
				return nil, err
			}
			if replies(buf[:n], query) {
				return buf[:n], nil
			}
		}
	}
}

func (s server) tcp(ctx context.Context, query []byte) ([]byte, error) {
	conn, err := s.dial(ctx, "tcp")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(query))), query...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, msg); err != nil {
		return nil, err
	}
	if !replies(msg, query) {
		return nil, errMalformed
	}
	return msg, nil
}

func (s server) dial(ctx context.Context, network string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, netip.AddrPort(s).String())
}

// answers reads the records behind the question, which ends at from: all addresses of the wanted type, and the last alias.
func answers(msg []byte, from int, qtype uint16) (addrs []netip.Addr, alias string, err error) {
	if code := refusal(msg[3] & 0x0f); code != 0 {
		return nil, "", code
	}
	at := from
	for range binary.BigEndian.Uint16(msg[6:]) {
		if _, at, err = nameAt(msg, at); err != nil {
			return nil, "", err
		}
		if at+10 > len(msg) {
			return nil, "", errMalformed
		}
		rtype, length := binary.BigEndian.Uint16(msg[at:]), int(binary.BigEndian.Uint16(msg[at+8:]))
		if at += 10; at+length > len(msg) {
			return nil, "", errMalformed
		}
		switch {
		case rtype == typeCNAME:
			if alias, _, err = nameAt(msg, at); err != nil {
				return nil, "", err
			}
		case rtype == qtype:
			addr, ok := netip.AddrFromSlice(msg[at : at+length])
			if !ok || addr.Is4() != (qtype == typeA) {
				return nil, "", errMalformed
			}
			addrs = append(addrs, addr)
		}
		at += length
	}
	return addrs, alias, nil
}

// nameAt reads the name that begins at a place, and returns where what follows it begins.
func nameAt(msg []byte, at int) (name string, next int, err error) {
	var labels []string
	for range 128 { // pointers may form a circle, and no name has more labels
		if at >= len(msg) {
			return "", 0, errMalformed
		}
		n := int(msg[at])
		switch {
		case n == 0:
			return strings.Join(labels, "."), cmp.Or(next, at+1), nil
		case n >= 0xc0: // a pointer (RFC 1035, 4.1.4)
			if at+1 >= len(msg) {
				return "", 0, errMalformed
			}
			if next == 0 {
				next = at + 2
			}
			at = (n&0x3f)<<8 | int(msg[at+1])
		case n > 63 || at+1+n > len(msg) || bytes.IndexByte(msg[at+1:at+1+n], '.') >= 0:
			return "", 0, errMalformed
		default:
			labels = append(labels, string(msg[at+1:at+1+n]))
			at += 1 + n
		}
	}
	return "", 0, errMalformed
}
