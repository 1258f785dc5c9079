package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// endpoints is a table of what the server itself lists.
func endpoints(string) (string, error) {
	eng, err := engine.Open(engine.Options{})
	if err != nil {
		return "", err
	}
	srv := httptest.NewServer(facade.New(eng, facade.Options{}))
	defer srv.Close()
	res, err := http.Get(srv.URL + "/capabilities")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var capabilities struct {
		Endpoints []struct{ Path, Method, Description string } `json:"integration_endpoints"`
	}
	if err := json.NewDecoder(res.Body).Decode(&capabilities); err != nil {
		return "", fmt.Errorf("GET /capabilities: %w", err)
	}
	var rows [][]string
	for _, e := range capabilities.Endpoints {
		rows = append(rows, []string{"`" + e.Method + " " + e.Path + "`", e.Description})
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("GET /capabilities: %s, and no endpoints", res.Status)
	}
	return "\n### HTTP\n\nWhat changes the host takes `?dry_run=true`, and then answers with the plan. `GET /openapi.json` has the bodies. An error is\n" +
		"`{\"error\": {\"code\", \"message\", \"details\"}}`, with `details.correlation_id`.\n\n" +
		table([]string{"endpoint", "what it does"}, rows) + "\n", nil
}

var codeConstant = regexp.MustCompile(`\bCode\s*=\s*"([A-Z_]+)"`)

// errorCodes is a table of the codes that the sources declare. The exit code is the one for a host that was not touched.
func errorCodes(root string) (string, error) {
	var rows [][]string
	for _, name := range []string{"engine/errors.go", "facade/codes/codes.go"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		for _, m := range codeConstant.FindAllSubmatch(text, -1) {
			code := engine.Code(m[1])
			rows = append(rows, []string{
				"`" + string(code) + "`", strconv.Itoa(codes.Status(code)), strconv.Itoa(codes.Exit(&engine.Error{Code: code})),
			})
		}
	}
	if len(rows) == 0 {
		return "", fmt.Errorf("no codes in %s", root)
	}
	return "\n### Error codes\n\nThe exit code is the one for a host that was not touched; 3 and 4 say more when it was.\n\n" +
		table([]string{"code", "HTTP status", "exit code"}, rows) + "\n", nil
}
