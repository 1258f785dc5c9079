package facade

import (
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// An sslBody says how to get a certificate. All of it may be left out.
type sslBody struct {
	Email      string `json:"email"`
	ForceRenew bool   `json:"force_renew"`
}

// An sslAnswer is the certificate that the route is served with now.
type sslAnswer struct {
	Domain string     `json:"domain"`
	Status string     `json:"status"` // the route's
	Expiry *time.Time `json:"expiry"`
	Issuer string     `json:"issuer"`
}

func (s *Server) issueCertificate(w http.ResponseWriter, r *http.Request) error {
	var body sslBody
	if err := decodeOptional(r, &body); err != nil {
		return err
	}
	if _, err := s.routeOf(r); err != nil {
		return err
	}
	req := engine.SSL(callOf(r).droplet, engine.SSLOptions{Email: body.Email, Force: body.ForceRenew})
	return s.carryOut(w, r, req, func(*engine.Result) error { return s.answerSSL(w, r) })
}

func (s *Server) answerSSL(w http.ResponseWriter, r *http.Request) error {
	st, err := s.routeOf(r)
	if err != nil {
		return err
	}
	answer := sslAnswer{Domain: st.Route.Domain(), Status: st.Status}
	if c, err := s.eng.Certificate(r.Context(), st.Name); err == nil && c.Exists() {
		answer.Expiry, answer.Issuer = &c.NotAfter, c.Issuer
	}
	return writeJSON(w, http.StatusOK, answer)
}
