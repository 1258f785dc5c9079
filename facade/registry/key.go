package registry

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
)

// PublicKey returns the key under which the Registry signs its tokens.
func (c *Client) PublicKey(ctx context.Context) (*rsa.PublicKey, error) {
	b, err := c.fetch(ctx, "/auth/public-key", maxKey)
	if err != nil {
		return nil, err
	}
	return parseKey(b)
}

// parseKey reads a key in PEM, bare or as "public_key" (or "key") in JSON.
func parseKey(b []byte) (*rsa.PublicKey, error) {
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		var wrapped struct {
			PublicKey string `json:"public_key"`
			Key       string `json:"key"`
		}
		if err := json.Unmarshal(b, &wrapped); err != nil {
			return nil, errors.New("the Registry's public key: not the JSON that is expected")
		}
		b = []byte(wrapped.PublicKey + wrapped.Key)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("the Registry's public key is not in PEM")
	}
	key, err := parseRSA(block)
	if err != nil {
		return nil, fmt.Errorf("the Registry's public key: %w", err)
	}
	if key.Size() < 256 {
		return nil, fmt.Errorf("the Registry's public key has only %d bits", key.Size()*8)
	}
	return key, nil
}

func parseRSA(block *pem.Block) (*rsa.PublicKey, error) {
	if block.Type == "RSA PUBLIC KEY" {
		return x509.ParsePKCS1PublicKey(block.Bytes)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}
