package resources

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

// The types of fields. A pattern says what a regular expression can say in a way that somebody can read; the check says all.
var (
	nameType = fields.Text(checkName, fields.Schema{
		Pattern: `^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`, Examples: []any{"shop"},
	})
	domainType = fields.Text(checkDomain, fields.Schema{
		Pattern:   `^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`,
		MaxLength: maxDomain, Examples: []any{"shop.example.com"},
	})
	hostType = fields.Text(checkHost, fields.Schema{
		Pattern: `^[A-Za-z0-9.:-]+$`, MaxLength: maxDomain, Examples: []any{"localhost", "10.0.0.7", "2001:db8::7", "app.internal"},
	})
	portType   = fields.Integer("a port", 1, 65535)
	schemeType = fields.Choice("http", "https")
	pathType   = fields.Text(checkURLPath, fields.Schema{
		Pattern:   `^/$|^/[A-Za-z0-9._~!&()*+,=:@?%-][A-Za-z0-9._~!&()*+,=:@/?%-]*$`,
		MaxLength: maxPath, Examples: []any{"/health", "/up?full=1"},
	})
	sizeType = fields.Text(checkSize, fields.Schema{
		Pattern: `^(0|[1-9][0-9]{0,14})[kKmMgG]?$`, Examples: []any{"512k", "10m", "2g", "0"},
	})
	emailType = fields.Text(checkEmail, fields.Schema{
		Pattern: `^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9.-]+$`, MaxLength: maxEmail, Examples: []any{"hostmaster@example.com"},
	})
	keyType = fields.Choice("ecdsa", "rsa")
)

// What sizes and times are counted in.
const (
	sizeUnit = "bytes, k, m or g"
	timeUnit = "ms, s, m or h"
)

func timeoutType(most time.Duration) fields.Type {
	wrong := fmt.Errorf(`must be a time such as "500ms", "60s" or "5m", at most "%ds"`, int(most/time.Second))
	return fields.Text(func(s string) (string, error) {
		if canonical, ok := timeout(s, most); ok {
			return canonical, nil
		}
		return "", wrong
	}, fields.Schema{Pattern: `^[1-9][0-9]{0,14}(ms|s|m|h)?$`, Examples: []any{"500ms", "60s"}})
}

var (
	errSize    = errors.New(`must be a size such as "512k", "10m" or "2g", at most "1024g", or "0" for no limit`)
	errURLPath = errors.New("must be a path that begins with one '/', in the characters of a URL, at most 512")
	errEmail   = errors.New("must be an email address such as admin@example.com, without a display name")
)

// checkSize takes a size as nginx writes it: a number and, for more than bytes, one of k, m and g.
func checkSize(s string) (string, error) {
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
	return "", errSize
}

// timeout reads a time as nginx writes it: a number and one of ms, s, m and h. A number alone means seconds.
func timeout(s string, most time.Duration) (canonical string, ok bool) {
	digits, unit := s, timeUnits[1]
	for _, u := range timeUnits {
		if rest, found := strings.CutSuffix(s, u.name); found {
			digits, unit = rest, u
			break
		}
	}
	n, ok := parseNumber(digits)
	if !ok || n < 1 || n > int64(most/unit.length) {
		return "", false
	}
	if len(digits) == len(s) {
		s += unit.name
	}
	return s, true
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

const maxPath = 512

// checkURLPath takes the path of a health check, a query included: the characters of RFC 3986 without the quote.
func checkURLPath(s string) (string, error) {
	ok := strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && len(s) <= maxPath && consistsOf(s, isPathByte)
	for rest := s; ok; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return s, nil
		}
		ok = len(after) >= 2 && isHexByte(after[0]) && isHexByte(after[1])
		rest = after
	}
	return "", errURLPath
}

func isPathByte(c byte) bool {
	return isAlphanumeric(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("-._~!&()*+,=:@/?%", c) >= 0
}

const maxEmail = 254

// checkEmail takes an address to be given to a CA: local@domain and nothing else. net/mail would take a display name,
// comments and quotes as well, and certbot passes on anything.
func checkEmail(s string) (string, error) {
	local, domain, found := strings.Cut(s, "@")
	atoms := found && local != "" && len(local) <= 64 && consistsOf(local, isLocalByte) &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..") &&
		// An argument that begins with a hyphen could be taken for an option.
		!strings.HasPrefix(local, "-")
	if atoms {
		if d, err := checkDomain(domain); err == nil && len(s) <= maxEmail {
			return local + "@" + d, nil
		}
	}
	return "", errEmail
}

func isLocalByte(c byte) bool {
	return isAlphanumeric(c) || 'A' <= c && c <= 'Z' || strings.IndexByte(".-_+", c) >= 0
}
