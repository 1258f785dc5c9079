package facade_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

func TestTokensAreReadAgainWhenTheFileChanges(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) { is.NoErr(os.WriteFile(file, []byte(text), 0o600)) }
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = file }})
	status := func(token string) int { return c.do("GET", "/proxies", "", "Authorization", "Bearer "+token).status }

	is.Equal(status("x"), 401) // no file: nobody
	write("")
	is.Equal(status("x"), 401) // an empty one: nobody
	write("# none\n\nlabel:\n")
	is.Equal(status(""), 401)
	write("ci:one\ntwo\n# three\n")
	is.Equal(status("one"), 200)
	is.Equal(status("two"), 200)
	is.Equal(status("three"), 401)
	is.Equal(status("ci:one"), 401)
	is.Equal(status("One"), 401)
	write("ci:new\n")
	is.Equal(status("one"), 401)
	is.Equal(status("new"), 200)
	is.NoErr(os.Remove(file))
	is.Equal(status("new"), 401)
	for _, header := range []string{"new", "Basic new", "Bearer", "Bearer ", "Bearer new x"} {
		is.Equal(c.do("GET", "/proxies", "", "Authorization", header).status, 401)
	}
	is.True(!strings.Contains(c.log.String(), "two")) // tokens never reach the log
}

func TestTheTokensLabelIsTheActorOfTheChange(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "tokens")
	is.NoErr(os.WriteFile(file, []byte("deploy bot:s3cret\n"), 0o600))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = file }})
	up := c.lab.Upstream("alpha")
	is.Equal(c.do("PUT", "/proxies/alpha", routeBody("alpha", up.Port(), ""), "Authorization", "Bearer s3cret").status, 201)
	history, err := c.eng.History()
	is.NoErr(err)
	is.Equal(history[0].Actor, "deploy bot")
	is.True(strings.Contains(c.log.String(), `"actor":"deploy bot"`))
}

// sign makes a JWT.
func sign(t testing.TB, key *rsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	segment := func(m map[string]any) string {
		b, _ := json.Marshal(m)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := segment(header) + "." + segment(claims)
	hash := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestTokensOfTheRegistryAreBelievedIfTheyAreRS256AndHaveNotExpired(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	is.NoErr(err)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	is.NoErr(err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	is.NoErr(err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	var fetched atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/public-key" {
			fetched.Add(1)
			w.Write(public)
		}
	}))
	defer registry.Close()
	file := filepath.Join(t.TempDir(), "tokens")
	is.NoErr(os.WriteFile(file, []byte("ci:x\n"), 0o600))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile, o.RegistryURL = file, registry.URL }})

	rs256 := map[string]any{"alg": "RS256", "typ": "JWT"}
	soon, past := time.Now().Add(time.Minute).Unix(), time.Now().Add(-time.Minute).Unix()
	hour := map[string]any{"sub": "alpha", "exp": soon}
	for name, test := range map[string]struct {
		token string
		want  int
	}{
		"good":            {sign(t, key, rs256, hour), 200},
		"expired":         {sign(t, key, rs256, map[string]any{"sub": "a", "exp": past}), 401},
		"without exp":     {sign(t, key, rs256, map[string]any{"sub": "a"}), 401},
		"not yet valid":   {sign(t, key, rs256, map[string]any{"exp": soon + 60, "nbf": soon}), 401},
		"another key":     {sign(t, other, rs256, hour), 401},
		"alg none":        {sign(t, key, map[string]any{"alg": "none"}, hour), 401},
		"alg RS512":       {sign(t, key, map[string]any{"alg": "RS512"}, hour), 401},
		"critical header": {sign(t, key, map[string]any{"alg": "RS256", "crit": []string{"x"}}, hour), 401},
		"exp is a text":   {sign(t, key, rs256, map[string]any{"exp": "never"}), 401},
		"no signature":    {strings.TrimRight(sign(t, key, rs256, hour), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"), 401},
		"HMAC by the key": {hs256(public, hour), 401},
	} {
		if got := c.do("GET", "/proxies", "", "Authorization", "Bearer "+test.token).status; got != test.want {
			t.Errorf("%s: %d, not %d", name, got, test.want)
		}
	}
	is.Equal(fetched.Load(), int32(1)) // the key is fetched once
}

// hs256 signs with the public key as if it were a secret, which has opened doors where the header chose the algorithm.
func hs256(secret []byte, claims map[string]any) string {
	b, _ := json.Marshal(claims)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(b)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
