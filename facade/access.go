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
		who, ok := s.identify(r)
		if !ok {
			return refuse(codes.Unauthorized, nil, "a valid token is needed: Authorization: Bearer TOKEN")
		}
		callOf(r).actor, callOf(r).readOnly = who.label, who.readOnly
		next.ServeHTTP(w, r.WithContext(engine.WithActor(r.Context(), who.label)))
		return nil
	})
}

// mayChange refuses a change to whoever may only look, and plan.
func mayChange(r *http.Request) error {
	if callOf(r).readOnly {
		return refuse(codes.Forbidden, nil, "this token is for reading: it may plan and make dry runs, and change nothing")
	}
	return nil
}

// maxToken bounds what is looked at: a JWT of a Registry has a few hundred bytes.
const maxToken = 8 << 10

// identify returns whose token a request has.
func (s *Server) identify(r *http.Request) (who token, ok bool) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 || len(headers[0]) > maxToken {
		return token{}, false
	}
	scheme, presented, found := strings.Cut(headers[0], " ")
	if presented = strings.TrimSpace(presented); !found || !strings.EqualFold(scheme, "Bearer") || presented == "" {
		return token{}, false
	}
	if who, ok := s.tokens.find(presented); ok {
		return who, true
	}
	// A file that can't be trusted keeps out the Registry's, too: nobody is let in past what its owner wanted to say.
	if s.keys == nil || strings.Count(presented, ".") != 2 || s.tokens.unusable() != nil {
		return token{}, false
	}
	label, ok := s.identifyJWT(r.Context(), presented)
	return token{label: label}, ok
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
