package facade

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// authorized asks for a bearer token (RFC 6750) before anything but health. It stands in front of the router, so that
// no endpoint can be added past it.
func (s *Server) authorized(next http.Handler) http.Handler {
	return handler(func(w http.ResponseWriter, r *http.Request) error {
		if s.tokens == nil || isPublic(r) {
			next.ServeHTTP(w, r)
			return nil
		}
		label, ok := s.identify(r)
		if !ok {
			return refuse(codes.Unauthorized, nil, "a valid token is needed: Authorization: Bearer TOKEN")
		}
		callOf(r).actor = label
		next.ServeHTTP(w, r.WithContext(engine.WithActor(r.Context(), label)))
		return nil
	})
}

// maxToken bounds what is looked at: a JWT of a Registry has a few hundred bytes.
const maxToken = 8 << 10

// identify returns who a request's token belongs to.
func (s *Server) identify(r *http.Request) (label string, ok bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 || len(headers[0]) > maxToken {
		return "", false
	}
	scheme, token, found := strings.Cut(headers[0], " ")
	if token = strings.TrimSpace(token); !found || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	if label, ok := s.tokens.find(token); ok {
		return label, true
	}
	if s.keys == nil || strings.Count(token, ".") != 2 {
		return "", false
	}
	return s.identifyJWT(r.Context(), token)
}

// identifyJWT accepts a token that the Registry has signed.
func (s *Server) identifyJWT(ctx context.Context, token string) (label string, ok bool) {
	var tried *rsa.PublicKey
	subject, err := verifyJWT(token, s.opts.Clock(), func() (key *rsa.PublicKey, err error) {
		tried, err = s.keys.get(ctx)
		return tried, err
	})
	if errors.Is(err, errSignature) {
		subject, err = verifyJWT(token, s.opts.Clock(), func() (*rsa.PublicKey, error) { return s.keys.instead(ctx, tried) })
	}
	if err != nil {
		s.log.WarnContext(ctx, "token refused", "result", "refused", "error", err)
		return "", false
	}
	return "registry:" + subject, true
}
