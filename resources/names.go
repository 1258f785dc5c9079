package resources

import (
	"errors"
	"net/netip"
	"strings"
)

// The alphabets below are the whole defence against values that become configuration, arguments or paths: everything that
// is not listed is refused, and bytes are looked at before anything that knows Unicode. strings.ToLower turns the Kelvin
// sign (U+212A) into a k; the functions here never see one.

// Limits of RFC 1035 for a name without its trailing dot, and of a label in it.
const (
	maxDomain = 253
	maxLabel  = 63
	maxName   = 63
)

var (
	errName     = errors.New("must be a letter or digit followed by letters, digits, '_' and '-', at most 63 characters in all")
	errASCII    = errors.New("must be a DNS name in ASCII (an international name in its xn-- form)")
	errWildcard = errors.New("must be a DNS name, no wildcard")
	errAddress  = errors.New("must be a DNS name, no IP address")
	errDomain   = errors.New("must be a DNS name of letters, digits, '-' and '.', at most 253 characters, 63 between two dots")
	errOneLabel = errors.New("must have at least two labels, as in example.com")
	errHost     = errors.New("must be a DNS name, an IPv4 address or an IPv6 address (without brackets)")
	errZone     = errors.New("must be an address without a zone")
	errOneHost  = errors.New("must be the address of one host")
)

// checkName takes the name of a droplet or certificate, and lowers it.
func checkName(s string) (string, error) {
	name, ok := lowerASCII(s)
	if ok && name != "" && len(name) <= maxName && isAlphanumeric(name[0]) && consistsOf(name, isNameByte) {
		return name, nil
	}
	return "", errName
}

// checkDomain takes a domain that a route serves, and lowers it.
func checkDomain(s string) (string, error) {
	name, ok := lowerASCII(s)
	switch {
	case !ok:
		return "", errASCII
	case strings.Contains(name, "*"):
		return "", errWildcard
	case isAddress(name):
		return "", errAddress
	case !isHostName(name):
		return "", errDomain
	case !strings.Contains(name, "."):
		return "", errOneLabel
	}
	return name, nil
}

// maxDomains is how many names a route or a certificate may have: as many as Let's Encrypt takes for one certificate.
const maxDomains = 100

// checkHost takes the host of an upstream: a name, or an address in its canonical form.
func checkHost(s string) (string, error) {
	if isAddress(s) {
		return checkAddr(s)
	}
	name, ok := lowerASCII(s)
	if !ok || !isHostName(name) || isAddress(name) { // isAddress: 0X7F becomes one by being lowered
		return "", errHost
	}
	return name, nil
}

func checkAddr(s string) (string, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return "", errHost
	}
	// ::ffff:169.254.169.254 reaches 169.254.169.254: whoever judges addresses has to see the one that is meant.
	addr = addr.Unmap()
	switch {
	case addr.Zone() != "":
		return "", errZone
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "", errOneHost
	}
	return addr.String(), nil
}

// isHostName reports whether s, which is lower case, is a DNS name of letters, digits and hyphens (RFC 1123).
func isHostName(s string) bool {
	if s == "" || len(s) > maxDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' || !consistsOf(label, isLabelByte) {
			return false
		}
	}
	return true
}

// isAddress reports whether software takes s for an IP address. The last label decides, as in the URL standard: inet_aton
// and with it many programs read 127.1, 2130706433 and 0x7f.1 as 127.0.0.1.
func isAddress(s string) bool {
	if strings.Contains(s, ":") {
		return true
	}
	last := s[strings.LastIndexByte(s, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return consistsOf(hex, isHexByte)
	}
	return last != "" && consistsOf(last, isDigit)
}

// lowerASCII lowers the letters of s; ok is false if s has any byte that is not printable ASCII.
func lowerASCII(s string) (lower string, ok bool) {
	if !consistsOf(s, isGraphic) {
		return "", false
	}
	return strings.ToLower(s), true
}

func consistsOf(s string, in func(byte) bool) bool {
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return true
}

func isGraphic(c byte) bool      { return '!' <= c && c <= '~' }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isAlphanumeric(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' }
func isLabelByte(c byte) bool    { return isAlphanumeric(c) || c == '-' }
func isNameByte(c byte) bool     { return isLabelByte(c) || c == '_' }
func isHexByte(c byte) bool      { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// ParseName checks the name of a droplet, and lowers it. The error is a *[FieldError] or nil.
func ParseName(s string) (string, error) { return routeTable.Check("droplet_name", s) }
