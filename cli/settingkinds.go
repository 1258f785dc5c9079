package cli

import (
	"errors"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/fields"
)

// A kind is a way to read a setting. The error of a text that it does not take says what is allowed, such as
// "a port from 1 to 65535".
type kind[T any] func(text string) (T, error)

// A target is the field of the settings that a row of the table fills.
type target struct {
	set     func(s *settings, text string) error
	boolean bool
}

func to[T any](read kind[T], field func(*settings) *T) target {
	_, boolean := any(*new(T)).(bool)
	return target{boolean: boolean, set: func(s *settings, text string) error {
		v, err := read(text)
		if err != nil {
			return err
		}
		*field(s) = v
		return nil
	}}
}

// matching reads text as it is, where ok takes it.
func matching(allowed string, ok func(string) bool) kind[string] {
	return func(text string) (string, error) {
		if !ok(text) {
			return "", errors.New(allowed)
		}
		return text, nil
	}
}

// fieldOf reads what stands in for a resource's field where that is left out, by the field's own rule.
func fieldOf[S any](t *fields.Table[S], name string) kind[string] {
	return func(text string) (string, error) {
		canonical, err := t.Check(name, text)
		if wrong, ok := errors.AsType[*fields.Error](err); ok {
			return "", errors.New(strings.TrimPrefix(wrong.Constraint, "must be "))
		}
		return canonical, err
	}
}

var (
	plainText    = matching("printable text of at most 200 characters", isPlain)
	hostText     = matching("an IP address or a host name", isHost)
	absolutePath = matching("an absolute path", isAbsolute)
	urlPath      = fieldOf(resources.RouteTable(), "health_check_path")
	webURL       = matching("a URL such as https://host/path", isWebURL)
	emailAddress = fieldOf(resources.CertificateTable(), "email")
	listenText   = matching("unix:/PATH or systemd", func(s string) bool {
		path, unix := strings.CutPrefix(s, "unix:")
		return s == "systemd" || unix && isAbsolute(path)
	})
)

func isPlain(s string) bool {
	return len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) })
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

// hostNames reads hosts, between commas; an address of IPv6 stands in brackets, as it does in Host.
func hostNames(text string) ([]string, error) {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		name := strings.TrimSpace(item)
		if !isHostWithPort(name) {
			return nil, errors.New("host names or addresses, each with or without a port, with commas between them")
		}
		list = append(list, name)
	}
	return list, nil
}

// isHostWithPort reports whether something can be in a request's Host.
func isHostWithPort(s string) bool {
	u, err := url.Parse("http://" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || !isHost(u.Hostname()) {
		return false
	}
	_, err = portNumber(u.Port())
	return err == nil || !strings.HasSuffix(s, ":"+u.Port())
}

func isAbsolute(s string) bool { return filepath.IsAbs(s) && !strings.ContainsRune(s, 0) }

func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && u.Fragment == ""
}

func choice(words ...string) kind[string] {
	return matching(strings.Join(words, " or "), func(s string) bool { return slices.Contains(words, s) })
}

// number reads a decimal number between two bounds.
func number(allowed string, least, most int) kind[int] {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return 0, errors.New(allowed)
		}
		return n, nil
	}
}

// times reads a number of units.
func times(unit time.Duration, read kind[int]) kind[time.Duration] {
	return func(text string) (time.Duration, error) {
		n, err := read(text)
		return time.Duration(n) * unit, err
	}
}

var (
	portNumber   = number("a port from 1 to 65535", 1, 65535)
	milliseconds = times(time.Millisecond, number("a number of milliseconds from 1 to 60000", 1, 60_000))
	days         = times(24*time.Hour, number("a number of days from 1 to 365", 1, 365))
)

var applies = number("a number of applies from 1 to 1000000", 1, 1_000_000)

// keeping reads how long something is kept.
func keeping(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 10*365*24*time.Hour {
		return 0, errors.New("a duration from 1m to 87600h, such as 168h")
	}
	return d, nil
}

func interval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 7*24*time.Hour {
		return 0, errors.New("a duration from 1m to 168h, such as 12h")
	}
	return d, nil
}

func yesOrNo(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("true or false")
}

// networks reads networks and addresses, between commas. "none" is the empty list, for a setting whose default is not.
func networks(text string) ([]netip.Prefix, error) {
	list := []netip.Prefix{}
	if text == "none" {
		return list, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		p, err := network(strings.TrimSpace(item))
		if err != nil {
			return nil, errors.New("networks such as 10.0.0.0/8 or 2001:db8::/32 with commas between them, or none")
		}
		list = append(list, p)
	}
	return list, nil
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err
}

// listens reads addresses to listen on, between commas.
func listens(text string) ([]string, error) {
	var list []string
	for item := range strings.SplitSeq(text, ",") {
		address, err := resources.ParseListen(strings.TrimSpace(item))
		if err != nil {
			return nil, errors.New("addresses such as *, [::], 203.0.113.5 or [2001:db8::5] with commas between them")
		}
		list = append(list, address)
	}
	return list, nil
}
