package resources

import (
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// RenderMaps returns the text of [MapsFile]: two variables made of the request's Upgrade header, which every generated
// server refers to. Only "websocket" passes (maps compare without case). Connection is "upgrade" then and empty
// otherwise; "close" would cost the connection to the upstream, and two thirds of the requests per second with it.
func RenderMaps(s Settings) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	var w nginxconf.Writer
	w.ExpandBlock("map", []nginxconf.Expr{"$http_upgrade", "$fpai_upgrade"}, func() {
		w.Directive("default", "")
		w.Directive("websocket", "websocket")
	})
	w.Blank()
	w.ExpandBlock("map", []nginxconf.Expr{"$http_upgrade", "$fpai_connection"}, func() {
		w.Directive("default", "")
		w.Directive("websocket", "upgrade")
	})
	return seal(SharedKind, []byte("_maps"), nil, &w)
}

// DefaultListens are the [Settings.Sockets] that need a default server, because no other site of the host is theirs. A second
// one on the same socket would be fatal.
type DefaultListens struct{ HTTP, HTTPS []string }

// RenderDefault returns the text of [DefaultFile]: servers that close the connection (444) on a request for a host that
// nobody serves, and refuse the TLS handshake for such a name. nginx would send those to the first site it has read. The
// text is nil if no server is wanted, or none can be had: before nginx 1.19.4 a TLS server needed a certificate.
func RenderDefault(s Settings, l DefaultListens) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	http, https := l.HTTP, l.HTTPS
	if !s.canRejectHandshake() {
		https = nil
	}
	if len(http)+len(https) == 0 {
		return nil, nil
	}
	var w nginxconf.Writer
	if len(http) > 0 {
		w.Block("server", nil, func() { writeDefault(&w, http, nil, nil) })
	}
	if len(http) > 0 && len(https) > 0 {
		w.Blank()
	}
	if len(https) > 0 {
		w.Block("server", nil, func() { writeDefault(&w, https, s.tlsListen(), s.writeRefusingTLS) })
	}
	return seal(SharedKind, []byte("_default"), nil, &w)
}

func writeDefault(w *nginxconf.Writer, sockets, params []string, tls func(*nginxconf.Writer)) {
	for _, s := range sockets {
		w.Directive("listen", append(append([]string{s}, params...), "default_server")...)
	}
	w.Directive("server_name", "_")
	w.Directive("server_tokens", "off")
	if tls != nil {
		tls(w)
	}
	// What the default server says of these holds for all connections of the port until the host is known.
	w.Directive("client_header_timeout", "15s")
	w.Directive("large_client_header_buffers", "4", "16k")
	w.Directive("return", "444")
}

// writeRefusingTLS: the return of 444 is needed as well. A handshake for a name that is served may be followed by a request
// for one that is not.
func (s *Settings) writeRefusingTLS(w *nginxconf.Writer) {
	s.writeTLS(w)
	w.Directive("ssl_reject_handshake", "on")
}
