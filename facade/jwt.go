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

// A publicKey is the Registry's. It is fetched when it is first needed, and again after a while, by one caller for all who
// ask. Once there is one, nobody waits for the next.
type publicKey struct {
	fetch func(context.Context) (*rsa.PublicKey, error)
	now   func() time.Time

	mu      sync.Mutex
	known   *rsa.PublicKey
	err     error         // of the last fetch
	fetched time.Time     // when the last fetch had ended
	running chan struct{} // closed when the fetch that runs is over; nil if none does
}

const (
	keyLifetime = 5 * time.Minute
	// keyRetry bounds how often a Registry that does not answer is asked, however many tokens come.
	keyRetry = 10 * time.Second
	// keyPatience is how long one fetch may take, and so how long a token may have to wait for its answer.
	keyPatience = 3 * time.Second
)

// get returns the key that is known, or the first one that can be had. One that is known stays good while a Registry that
// is down has no other: everybody would be locked out.
func (k *publicKey) get(ctx context.Context) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.await(ctx)
	} else if k.now().Sub(k.fetched) >= keyLifetime {
		k.start()
	}
	switch {
	case k.known != nil:
		return k.known, nil
	case k.err != nil:
		return nil, k.err
	default:
		return nil, context.Cause(ctx)
	}
}

// instead returns another key than one that a token was not signed with, if the Registry has one by now. Strangers' tokens
// can't make it be asked more often than keyRetry allows.
func (k *publicKey) instead(ctx context.Context, of *rsa.PublicKey) (*rsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == of {
		k.await(ctx)
	}
	if k.known == of {
		return nil, errSignature
	}
	return k.known, nil
}

// await waits for a fetch, unless one has ended just now. It gives up the lock meanwhile.
func (k *publicKey) await(ctx context.Context) {
	done := k.start()
	if done == nil {
		return
	}
	k.mu.Unlock()
	defer k.mu.Lock()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// start starts a fetch, if none runs, and returns what is closed when it is over; nil if it is too early for another.
func (k *publicKey) start() <-chan struct{} {
	if k.running != nil {
		return k.running
	}
	if !k.fetched.IsZero() && k.now().Sub(k.fetched) < keyRetry {
		return nil
	}
	done := make(chan struct{})
	k.running = done
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), keyPatience)
		defer cancel()
		key, err := k.fetch(ctx)
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.err = err; err == nil && (k.known == nil || !key.Equal(k.known)) {
			k.known = key
		}
		k.fetched, k.running = k.now(), nil
		close(done)
	}()
	return done
}
