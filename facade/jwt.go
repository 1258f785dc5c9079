package facade

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// Tokens of the Registry are JSON Web Tokens (RFC 7519) signed with RS256, and nothing else: the header never chooses the
// algorithm, which is how "none" and HMAC with the public key have opened doors elsewhere.

// verifyJWT returns the subject of a token that was signed with the key and has not expired. The key is asked
// for only once the token looks like one.
func verifyJWT(token string, now time.Time, key func() (*rsa.PublicKey, error)) (subject string, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("not a JWT")
	}
	var header struct {
		Alg  string          `json:"alg"`
		Crit json.RawMessage `json:"crit"`
	}
	if err := decodeSegment(parts[0], &header); err != nil {
		return "", fmt.Errorf("the JWT's header: %w", err)
	}
	if header.Alg != "RS256" || header.Crit != nil {
		return "", fmt.Errorf("the JWT is not plain RS256 but %.20q", header.Alg)
	}
	var claims struct {
		Subject   string   `json:"sub"`
		Expires   *float64 `json:"exp"`
		NotBefore *float64 `json:"nbf"`
	}
	if err := decodeSegment(parts[1], &claims); err != nil {
		return "", fmt.Errorf("the JWT's claims: %w", err)
	}
	if err := checkSignature(parts, key); err != nil {
		return "", err
	}
	seconds := float64(now.Unix())
	switch {
	case claims.Expires == nil:
		return "", errors.New("the JWT never expires (no exp)")
	case seconds >= *claims.Expires:
		return "", errors.New("the JWT has expired")
	case claims.NotBefore != nil && seconds < *claims.NotBefore:
		return "", errors.New("the JWT is not valid yet")
	}
	return foreign.Clip(strings.ToValidUTF8(claims.Subject, "?"), 64), nil
}

func decodeSegment(s string, v any) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return errors.New("not base64url")
	}
	if err := json.Unmarshal(b, v); err != nil {
		return errors.New("not the JSON that is expected")
	}
	return nil
}

// errSignature is of a token that another key has signed, be it a stranger's or the Registry's own new one.
var errSignature = errors.New("the JWT's signature is not the Registry's")

func checkSignature(parts []string, key func() (*rsa.PublicKey, error)) error {
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return errors.New("the JWT's signature is not base64url")
	}
	public, err := key()
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], signature) != nil {
		return errSignature
	}
	return nil
}

// A publicKey is the Registry's, fetched when it is first needed and again after a while.
type publicKey struct {
	fetch func(context.Context) (*rsa.PublicKey, error)
	now   func() time.Time

	mu      sync.Mutex
	known   *rsa.PublicKey
	err     error
	fetched time.Time
}

const (
	keyLifetime = 5 * time.Minute
	// keyRetry bounds how often a Registry that does not answer is asked, however many tokens come.
	keyRetry = 10 * time.Second
)

func (k *publicKey) get(ctx context.Context) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.now().Sub(k.fetched)
	if !k.fetched.IsZero() && (age < keyRetry || (k.err == nil && age < keyLifetime)) {
		return k.known, k.unknown()
	}
	k.fetched = k.now()
	key, err := k.fetch(context.WithoutCancel(ctx))
	if k.err = err; err == nil {
		k.known = key
	}
	// A key that is known stays good: a Registry that is down must not lock everybody out.
	return k.known, k.unknown()
}

// expire has the key fetched anew when it is next asked for: the Registry may have a new one. Strangers' tokens can't make
// that happen more often than keyRetry allows.
func (k *publicKey) expire() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.fetched) >= keyRetry {
		k.fetched = time.Time{}
	}
}

func (k *publicKey) unknown() error {
	if k.known != nil {
		return nil
	}
	return k.err
}
