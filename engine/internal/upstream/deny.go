package upstream

import "net/netip"

// A Deny has networks that no upstream may be in.
type Deny []netip.Prefix

// NewDeny returns the networks in the form that addresses are compared in: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
func NewDeny(networks []netip.Prefix) Deny {
	d := make(Deny, len(networks))
	for i, p := range networks {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		d[i] = p.Masked()
	}
	return d
}

// Match returns the network that an address is in, however the address is written.
func (d Deny) Match(addr netip.Addr) (netip.Prefix, bool) {
	for _, a := range Forms(addr) {
		for _, p := range d {
			if p.Contains(a) {
				return p, true
			}
		}
	}
	return netip.Prefix{}, false
}

// forms are the IPv6 networks whose addresses carry an IPv4 address that a translator, a tunnel or the kernel sends packets
// on to, with the bytes that hold it.
var forms = []struct {
	network netip.Prefix
	at      [4]int
	flip    byte
}{
	{network: netip.MustParsePrefix("::/96"), at: last4},              // IPv4-compatible, RFC 4291, 2.5.5.1
	{network: netip.MustParsePrefix("::ffff:0:0:0/96"), at: last4},    // IPv4-translated, RFC 2765
	{network: netip.MustParsePrefix("64:ff9b::/96"), at: last4},       // NAT64, RFC 6052
	{network: netip.MustParsePrefix("64:ff9b:1::/48"), at: last4},     // NAT64 for local use, RFC 8215: any length of
	{network: netip.MustParsePrefix("64:ff9b:1::/48"), at: nat64(48)}, // RFC 6052, 2.2 may be in use within it
	{network: netip.MustParsePrefix("64:ff9b:1::/48"), at: nat64(56)},
	{network: netip.MustParsePrefix("64:ff9b:1::/48"), at: nat64(64)},
	{network: netip.MustParsePrefix("2002::/16"), at: [4]int{2, 3, 4, 5}}, // 6to4, RFC 3056
	{network: netip.MustParsePrefix("2001::/32"), at: [4]int{4, 5, 6, 7}}, // Teredo's server, RFC 4380
	{network: netip.MustParsePrefix("2001::/32"), at: last4, flip: 0xff},  // and its client
}

var last4 = [4]int{12, 13, 14, 15}

// nat64 says where an IPv4 address is behind a prefix of that many bits: the ninth byte is left out (RFC 6052, 2.2).
func nat64(bits int) (at [4]int) {
	next := bits / 8
	for i := range at {
		if next == 8 {
			next++
		}
		at[i] = next
		next++
	}
	return at
}

// Forms returns all addresses that one stands for: itself, the IPv4 address that it carries, and for the address of nobody
// those of loopback, where the kernel sends what is meant for it.
func Forms(addr netip.Addr) []netip.Addr {
	addr = addr.Unmap().WithZone("")
	all := []netip.Addr{addr}
	if addr.IsUnspecified() {
		return append(all, netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	}
	b := addr.As16()
	for _, f := range forms {
		if f.network.Contains(addr) {
			var v4 [4]byte
			for i, at := range f.at {
				v4[i] = b[at] ^ f.flip
			}
			all = append(all, netip.AddrFrom4(v4))
		}
	}
	return all
}
