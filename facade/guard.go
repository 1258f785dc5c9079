package facade

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// public are the paths that anybody may ask for, by exact match.
var public = []string{"/health", "/proxy-manager/health"}

func isPublic(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && slices.Contains(public, r.URL.Path)
}

// guarded keeps web pages from driving the server: those of other origins, which a browser names in Origin and
// Sec-Fetch-Site, and those that have made their own name resolve to this address, which Host gives away. A GET is no
// exception: sync-from-registry changes things.
func (s *Server) guarded(next http.Handler) http.Handler {
	allowed := allowedNames(s.opts.AllowedHosts)
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if !isPublic(r) {
			if err := checkOrigin(r, allowed); err != nil {
				return err
			}
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

func checkOrigin(r *http.Request, allowed []string) error {
	if !hostAllowed(r.Context(), strings.ToLower(r.Host), allowed) {
		return refuse(codes.Forbidden, details{"header": "Host"}, "this server is not called that: use localhost and its port, or an address it listens on")
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, "http://"+r.Host) && !strings.EqualFold(origin, "https://"+r.Host) {
			return refuse(codes.Forbidden, details{"header": "Origin"}, "web pages of other origins may not call this server")
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		// "same-site" is refused, too: to a browser every port of localhost is the same site.
		if site != "same-origin" && site != "none" {
			return refuse(codes.Forbidden, details{"header": "Sec-Fetch-Site"}, "web pages of other origins may not call this server")
		}
	}
	return nil
}

var loopbackNames = []string{"localhost", "127.0.0.1", "[::1]"}

func allowedNames(configured []string) []string {
	var names []string
	for _, name := range configured {
		names = append(names, strings.ToLower(name))
	}
	return names
}

// hostAllowed reports whether a Host header, in lower case, is a name of the socket that the request came in by.
func hostAllowed(ctx context.Context, host string, configured []string) bool {
	address, port := localAddress(ctx)
	names := append(slices.Clone(loopbackNames), configured...)
	if address != "" {
		names = append(names, address)
	}
	for _, name := range names {
		if host == name && (port == "" || port == "80" || slices.Contains(configured, name)) {
			return true
		}
		if port != "" && host == name+":"+port {
			return true
		}
	}
	return false
}

// localAddress returns the address and port that the client has connected to; both are empty for a unix socket, whose
// clients name what they like best.
func localAddress(ctx context.Context) (address, port string) {
	addr, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return "", ""
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "", ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host, port
}
