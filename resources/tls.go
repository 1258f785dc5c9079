package resources

import "github.com/fullpotential-ai/proxy-manager/resources/nginxconf"

// The TLS settings are Mozilla's intermediate profile, version 6.0 of April 2026: every browser of the last ten years,
// forward secrecy only, no Diffie-Hellman over finite fields. There is no OCSP stapling: Let's Encrypt ended OCSP in 2025.
const (
	tlsCiphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" +
		"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" +
		"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
	tlsCurves = "X25519:prime256v1:secp384r1"
)

// tlsListen returns the parameters of listen for HTTPS.
func (s *Settings) tlsListen() []string {
	if s.http2Directive() {
		return []string{"ssl"}
	}
	return []string{"ssl", "http2"}
}

// writeTLS writes what all HTTPS servers have in common, the default one included: nginx takes the protocols of a
// connection from the port's default server. The session cache is one zone for all, named and sized the same in every
// file, since two sizes for one zone are fatal.
func (s *Settings) writeTLS(w *nginxconf.Writer) {
	if s.http2Directive() {
		w.Directive("http2", "on")
	}
	curves := tlsCurves
	if s.knowsMLKEM() {
		curves = "X25519MLKEM768:" + curves
	}
	w.Directive("ssl_protocols", "TLSv1.2", "TLSv1.3")
	w.Directive("ssl_ciphers", tlsCiphers)
	w.Directive("ssl_prefer_server_ciphers", "off")
	w.Directive("ssl_ecdh_curve", curves)
	w.Directive("ssl_session_timeout", "1d")
	w.Directive("ssl_session_cache", "shared:fpai_tls:10m")
	if !s.rotatesTicketKeys() {
		w.Directive("ssl_session_tickets", "off")
	}
}
