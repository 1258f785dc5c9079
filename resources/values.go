package resources

import (
	"strconv"
	"strings"
	"time"
)

// parsePort checks a TCP port.
func parsePort(field string, n int) error {
	if n < 1 || n > 65535 {
		return fieldError(field, strconv.Itoa(n), "must be a port from 1 to 65535")
	}
	return nil
}

// parseSize checks a size as nginx writes it: a number and, for more than bytes, one of k, m and g.
func parseSize(field, s string) (string, error) {
	size, ok := lowerASCII(s)
	digits, shift := size, 0
	for i, unit := range [...]string{"k", "m", "g"} {
		if rest, found := strings.CutSuffix(size, unit); found {
			digits, shift = rest, 10*(i+1)
		}
	}
	if n, number := parseNumber(digits); ok && number && n <= 1<<40>>shift {
		return size, nil
	}
	return "", fieldError(field, s, `must be a size such as "512k", "10m" or "2g", at most "1024g", or "0" for no limit`)
}

// parseTimeout checks a time as nginx writes it: a number and one of ms, s, m and h. A number alone means seconds.
func parseTimeout(field, s string, most time.Duration) (string, error) {
	digits, unit := s, timeUnits[1]
	for _, u := range timeUnits {
		if rest, found := strings.CutSuffix(s, u.name); found {
			digits, unit = rest, u
			break
		}
	}
	if n, ok := parseNumber(digits); ok && 1 <= n && n <= int64(most/unit.length) {
		return digits + unit.name, nil
	}
	return "", fieldError(field, s, `must be a time such as "500ms", "60s" or "5m", at most "`+strconv.Itoa(int(most/time.Second))+`s"`)
}

// timeUnits has "ms" before the units that are its suffixes.
var timeUnits = [...]struct {
	name   string
	length time.Duration
}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// parseNumber reads decimal digits without a sign or leading zeros.
func parseNumber(digits string) (int64, bool) {
	if digits == "" || len(digits) > 15 || !consistsOf(digits, isDigit) || digits[0] == '0' && len(digits) > 1 {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}

// parsePath checks the path of a health check, a query included: the characters of RFC 3986 without the quote.
func parsePath(field, s string) error {
	ok := strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && len(s) <= 512 && consistsOf(s, isPathByte)
	for rest := s; ok; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return nil
		}
		ok = len(after) >= 2 && isHexByte(after[0]) && isHexByte(after[1])
		rest = after
	}
	return fieldError(field, s, "must be a path that begins with one '/', in the characters of a URL, at most 512")
}

func isPathByte(c byte) bool {
	return isAlphanumeric(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("-._~!&()*+,=:@/?%", c) >= 0
}

// parseEmail checks an address to be given to a CA: local@domain and nothing else. net/mail would take a display name,
// comments and quotes as well, and certbot passes on anything.
func parseEmail(field, s string) (string, error) {
	local, domain, found := strings.Cut(s, "@")
	atoms := found && local != "" && len(local) <= 64 && consistsOf(local, isLocalByte) &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..") &&
		// An argument that begins with a hyphen could be taken for an option.
		!strings.HasPrefix(local, "-")
	if atoms {
		if d, err := parseDomain(field, domain); err == nil && len(s) <= 254 {
			return local + "@" + d, nil
		}
	}
	return "", fieldError(field, s, "must be an email address such as admin@example.com, without a display name")
}

func isLocalByte(c byte) bool {
	return isAlphanumeric(c) || 'A' <= c && c <= 'Z' || strings.IndexByte(".-_+", c) >= 0
}

// parseChoice checks a value that is one of a few; the first is the default.
func parseChoice(field, s string, choices ...string) (string, error) {
	if s == "" {
		return choices[0], nil
	}
	for _, c := range choices {
		if s == c {
			return c, nil
		}
	}
	return "", fieldError(field, s, "must be "+strings.Join(choices, " or "))
}
