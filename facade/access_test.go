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
	"fmt"
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

func TestATokenFileThatIsNotGoodAdmitsNobodyAndSaysWhy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "tokens")
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = file }})
	write := func(text string) {
		is.NoErr(os.WriteFile(file+".new", []byte(text), 0o600))
		is.NoErr(os.Rename(file+".new", file))
	}
	admits := func(token string) bool {
		return c.do("GET", "/proxies", "", "Authorization", "Bearer "+token).status == 200
	}
	write("ci:good\n")
	is.True(admits("good"))
	is.Equal(c.do("GET", "/proxy-manager/health", "").json(t)["token_file"], nil)
	for name, test := range map[string]struct{ text, told string }{
		"a long line":         {"ci:good\n#" + strings.Repeat("x", 5000) + "\nother:one\n", "line 2: it is longer than 4096 bytes"},
		"a very long line":    {"ci:good\nx:" + strings.Repeat("x", 70_000) + "\n", "line 2"},
		"too much":            {"ci:good\n" + strings.Repeat("# comment\n", 200_000), "larger"},
		"UTF-16":              {"\xff\xfec\x00i\x00", "UTF-16"},
		"a control":           {"ci:good\nx:a\x00b\n", "line 2"},
		"no UTF-8":            {"ci:good\nx:a\xffb\n", "line 2"},
		"a label alone":       {"ci:good\nlabel:\n", "line 2: it has a label and no token"},
		"the same twice":      {"ci:good\n\nother:good\n", "line 3 has the token of line 1 again"},
		"both rights":         {"ci:good\nro:ci:good\n", "line 2 has the token of line 1 again"},
		"reading, unlabelled": {"ci:good\nro:secret\n", "line 2: a token for reading is written ro:label:token"},
		"comments":            {"# none\n", "it has no token"},
	} {
		c.log.Reset()
		write(test.text)
		if admits("good") {
			t.Errorf("%s: admitted", name)
		}
		is.True(!admits("secret"))
		is.True(strings.Contains(c.log.String(), test.told))
		is.True(!strings.Contains(c.log.String(), "good")) // nothing of the file is told
		is.Equal(strings.Count(c.log.String(), `"level":"error"`), 1)
		r := c.do("GET", "/proxy-manager/health", "")
		is.True(strings.Contains(fmt.Sprint(r.json(t)["token_file"]), "nobody is admitted"))
		is.Equal(r.json(t)["status"], "degraded")
		is.Equal(c.do("GET", "/health", "").json(t)["status"], "degraded")
	}
	write("\ufeffci:good\r\nci:better\r\n") // a byte order mark, and the ends of lines of another system
	is.True(admits("good"))
	is.True(admits("better"))
	is.True(strings.Contains(c.log.String(), "two tokens have the same label"))
	is.Equal(c.do("GET", "/health", "").json(t)["status"], "healthy")
}

func TestATokenFileThatOthersCouldChangeAdmitsNobody(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	is.NoErr(os.MkdirAll(dir, 0o755))
	file := filepath.Join(dir, "tokens")
	is.NoErr(os.WriteFile(file, []byte("good\n"), 0o640))
	link := filepath.Join(top, "link")
	is.NoErr(os.Symlink(filepath.Join("a", "b", "tokens"), link))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = link }})
	status := func() int { return c.do("GET", "/proxies", "", "Authorization", "Bearer good").status }
	is.Equal(status(), 200)
	for _, test := range []struct {
		path string
		bad  os.FileMode
		good os.FileMode
	}{
		{file, 0o660, 0o600}, {file, 0o602, 0o600}, {dir, 0o777, 0o755}, {dir, 0o775, 0o755}, {filepath.Join(top, "a"), 0o757, 0o755}, {top, 0o777, 0o700},
	} {
		is.NoErr(os.Chmod(test.path, test.bad))
		is.Equal(status(), 401)
		is.True(strings.Contains(c.log.String(), "others can write to "+test.path))
		is.NoErr(os.Chmod(test.path, test.good))
		is.Equal(status(), 200)
	}
	is.NoErr(os.Chmod(dir, 0o777|os.ModeSticky)) // as /tmp
	is.Equal(status(), 200)
	is.NoErr(os.Remove(link))
	is.NoErr(os.Symlink("link", link))
	is.Equal(status(), 401)
	if os.Getuid() == 0 {
		is.NoErr(os.Remove(link))
		is.NoErr(os.Symlink(file, link))
		is.NoErr(os.Chown(file, 65534, 65534))
		is.Equal(status(), 401)
		is.True(strings.Contains(c.log.String(), "belongs to user 65534"))
	}
}

func TestATokenForReadingReadsPlansAndChangesNothing(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "tokens")
	is.NoErr(os.WriteFile(file, []byte("ro:dashboard:look\nci:do\n"), 0o600))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = file }})
	up := c.lab.Upstream("up")
	look, body := []string{"Authorization", "Bearer look"}, routeBody("alpha", up.Port(), "")
	is.Equal(c.do("PUT", "/proxies/alpha", body, "Authorization", "Bearer do").status, 201)
	before := c.lab.Tree()
	var d document
	is.NoErr(json.Unmarshal([]byte(c.do("GET", "/openapi.json", "", look...).body), &d))
	d.operations(t, func(method, path string, op operation) {
		url := strings.Replace(path, "{droplet_name}", "alpha", 1)
		var text string
		switch {
		case method == "PUT" || path == "/proxies":
			text = body
		case path == "/plan" || path == "/apply":
			text = `{"routes":[]}`
		case strings.HasSuffix(path, "/message"):
			text = `{"message_type":"ping"}`
		}
		if method == "GET" {
			text = ""
		}
		_, changes := op.Responses["423"] // a change may find the host locked
		r := c.do(method, url, text, look...)
		if !changes {
			is.True(r.status == 200)
			return
		}
		is.Equal(r.status, 403)
		is.Equal(r.code(t), "FORBIDDEN")
		is.True(c.do(method, url+"?dry_run=true", text, look...).status != 403)
		is.Equal(c.do(method, url+"?dry_run=false", text, look...).status, 403)
	})
	is.Equal(c.lab.Tree().Diff(before), "")
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
