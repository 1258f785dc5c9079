package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/facade"
)

func TestTheAPIWorksBelowAPrefixAndBehindForeignMiddleware(t *testing.T) {
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	eng, err := engine.Open(lab.EngineOptions())
	is.NoErr(err)
	srv := httptest.NewServer(handler(facade.New(eng, facade.Options{}), "secret"))
	defer srv.Close()
	route := fmt.Sprintf(`{"domain":"shop.example.com","upstream_host":"127.0.0.1","upstream_port":%d,"enable_ssl":false}`, lab.Upstream("shop").Port())

	status, _ := call(t, "PUT", srv.URL+"/nginx/proxies/shop", "", route)
	is.Equal(status, http.StatusUnauthorized) // the middleware's answer
	before := lab.Tree()
	status, body := call(t, "PUT", srv.URL+"/nginx/proxies/shop?dry_run=true", "secret", route)
	is.Equal(status, http.StatusOK)
	is.True(strings.Contains(body, `"dry_run":true`))
	is.Equal(lab.Tree().Diff(before), "")

	status, _ = call(t, "PUT", srv.URL+"/nginx/proxies/shop", "secret", route)
	is.Equal(status, http.StatusCreated)
	res, err := lab.Get("shop.example.com", "/name")
	is.NoErr(err)
	is.Equal(res.Body, "shop\n")

	history, err := eng.History()
	is.NoErr(err)
	is.Equal(history[0].Actor, "admin") // who asked, by the middleware's word

	status, body = call(t, "GET", srv.URL+"/", "", "")
	is.Equal(status, http.StatusOK) // the server's own page needs no token
	is.True(strings.Contains(body, "/nginx/"))
}

func call(t *testing.T, method, url, token, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Admin-Token", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}
