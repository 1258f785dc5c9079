package facade

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// Whatever the body, it is a good route or an error with a code and a bounded message.
func FuzzPutBody(f *testing.F) {
	for _, seed := range []string{
		`{"domain":"a.example.com","upstream_port":80}`, `{"domain":"a.example.com","upstream":"http://[::1]:80"}`,
		`{"Domain":"a.b"}`, `{"domain":"a.b","domain":"c.d"}`, `[]`, `{}x`, `{"upstream":"http://u:p@h:1/x?y#z"}`, "\x00", `{"domain":"\ud800"}`,
	} {
		f.Add("alpha", seed)
	}
	f.Fuzz(func(t *testing.T, name, body string) {
		for _, read := range []func(*http.Request) error{
			func(r *http.Request) error { _, err := decodePut(r); return err },
			func(r *http.Request) error { _, _, err := decodePost(r); return err },
		} {
			r := httptest.NewRequest("PUT", "/", strings.NewReader(body))
			r.SetPathValue("droplet_name", name)
			err := read(r)
			if err != nil && (engine.CodeOf(err) != engine.InvalidInput || len(factsOf(r, err).Message) > maxMessage+8) {
				t.Fatalf("%v", err)
			}
		}
	})
}

// Whatever is presented as a token, nothing but a signature by the key admits it.
func FuzzToken(f *testing.F) {
	for _, seed := range []string{"", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30.AA", "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTl9.", "..."} {
		f.Add(seed)
	}
	block, _ := pem.Decode([]byte(testKey))
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := verifyJWT(token, time.Unix(0, 0), func() (*rsa.PublicKey, error) { return key.(*rsa.PublicKey), nil }); err == nil {
			t.Fatalf("%q was believed", token)
		}
		if list, err := parseTokens([]byte(token)); (err == nil) != (len(list) > 0) {
			t.Fatalf("%q: %d tokens and %v", token, len(list), err)
		}
	})
}

// testKey is a public key whose private key nobody has.
const testKey = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA1MgD7swVP36BmHHlXcma
OngItqvwgKUozhOXQQuNW6ei9R75p1RQqC3CaCbXUQa1dAaLBLOud0Ob5zbZKyIo
dl/N1Z4Eu7TCHCTL0Wa/n0A+L9gEaDpw0Aq/H4rJGxbc3b7QigqZDjBC+JFct3aj
/p1P6pAb9OxLeTcZevea+1rEoe1HwAF8SbrDCHJ2MM7asAcQts+GmpcKGQ3YLH6J
In5l+smqOM+DYRTaPH4l39T99NoDOfd7IkelSEiJjMf2UmMyLl6BayIT2L9OFXm8
l5XJ8TXuBD8XvVC6VBeCgS1HO9yebIIQNcPi94uRj0YqNTfJqXYWtHG7Oy+TyjNG
vQIDAQAB
-----END PUBLIC KEY-----
`
