package facade_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/matryer/is"
)

// A document is as much of OpenAPI as the tests need.
type document struct {
	Paths      map[string]map[string]json.RawMessage
	Components struct {
		Schemas   map[string]schema
		Responses map[string]response
	}
}

type operation struct {
	OperationID string `json:"operationId"`
	Responses   map[string]response
	Security    *[]any
}

type response struct {
	Ref     string `json:"$ref"`
	Content map[string]struct{ Schema schema }
}

type schema map[string]any

func (c *client) document() document {
	c.t.Helper()
	var d document
	if err := json.Unmarshal([]byte(c.do("GET", "/openapi.json", "").body), &d); err != nil {
		c.t.Fatal(err)
	}
	return d
}

// operations calls f for each operation, by path and method.
func (d document) operations(t testing.TB, f func(method, path string, op operation)) {
	t.Helper()
	for path, item := range d.Paths {
		for method, raw := range item {
			if method == "parameters" {
				continue
			}
			var op operation
			if err := json.Unmarshal(raw, &op); err != nil {
				t.Fatal(err)
			}
			f(strings.ToUpper(method), path, op)
		}
	}
}

func TestEveryEndpointIsDocumentedAndEveryDocumentedOneIsServed(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	var documented, served []string
	c.document().operations(t, func(method, path string, op operation) {
		documented = append(documented, method+" "+path)
		is.True(op.OperationID != "")
	})
	for _, e := range c.do("GET", "/capabilities", "").json(t)["integration_endpoints"].([]any) {
		m := e.(map[string]any)
		served = append(served, fmt.Sprint(m["method"], " ", m["path"]))
	}
	slices.Sort(documented)
	slices.Sort(served)
	is.Equal(documented, served)
}

func TestEveryDocumentedEndpointButHealthAsksForAToken(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	file := filepath.Join(t.TempDir(), "tokens")
	is.NoErr(os.WriteFile(file, []byte("# tests\nci: s3cret\n"), 0o600))
	c := start(t, setup{facade: func(o *facade.Options) { o.TokenFile = file }})
	var d document
	r := c.do("GET", "/openapi.json", "", "Authorization", "Bearer s3cret")
	is.Equal(r.status, 200)
	is.NoErr(json.Unmarshal([]byte(r.body), &d))
	d.operations(t, func(method, path string, op operation) {
		url := strings.Replace(path, "{droplet_name}", "alpha", 1)
		r := c.do(method, url, "")
		if op.Security != nil { // the document says that it is public
			is.True(strings.HasSuffix(path, "/health"))
			is.Equal(r.status, 200)
			return
		}
		is.Equal(r.status, 401)
		is.Equal(r.code(t), "UNAUTHORIZED")
		is.Equal(r.header.Get("WWW-Authenticate"), "Bearer")
	})
	for _, other := range []string{"/health/", "/health/x", "//health", "/Health", "/nothing", "/proxy-manager/health/x"} {
		is.Equal(c.do("GET", other, "").status, 401)
	}
	is.Equal(c.do("POST", "/health", "").status, 401)
}

func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	d := c.document()
	up := c.lab.Upstream("alpha")
	route := routeBody("alpha", up.Port(), "")
	pending := strings.Replace(routeBody("gamma", up.Port(), ""), `"enable_ssl":false`, `"enable_ssl":true`, 1)
	state := `{"routes":[` + strings.Replace(route, "{", `{"droplet_name":"alpha",`, 1) + `]}`
	for _, call := range []struct {
		method, path, url, body string
		status                  int
	}{
		{"POST", "/plan", "", state, 200},
		{"POST", "/apply", "/apply?dry_run=true", state, 200},
		{"POST", "/apply", "", state, 200},
		{"POST", "/apply", "", state, 200},
		{"PUT", "/proxies/{droplet_name}", "/proxies/beta?dry_run=true", routeBody("beta", up.Port(), ""), 200},
		{"PUT", "/proxies/{droplet_name}", "/proxies/beta", routeBody("beta", up.Port(), ""), 201},
		{"PUT", "/proxies/{droplet_name}", "/proxies/gamma", pending, 202},
		{"PUT", "/proxies/{droplet_name}", "/proxies/x", `{}`, 400},
		{"POST", "/proxies", "", strings.Replace(route, `"domain"`, `"droplet_name":"alpha","domain"`, 1), 200},
		{"GET", "/proxies", "", "", 200},
		{"GET", "/proxies/{droplet_name}", "/proxies/alpha", "", 200},
		{"GET", "/proxies/{droplet_name}", "/proxies/gamma", "", 200},
		{"GET", "/proxies/{droplet_name}", "/proxies/nobody", "", 404},
		{"DELETE", "/proxies/{droplet_name}", "/proxies/beta", "", 200},
		{"GET", "/proxy-manager/sync-from-registry", "", "", 503},
		{"GET", "/proxy-manager/health", "", "", 200},
		{"GET", "/health", "", "", 200},
		{"GET", "/capabilities", "", "", 200}, {"GET", "/proxy-manager/capabilities", "", "", 200},
		{"GET", "/state", "", "", 200}, {"GET", "/proxy-manager/state", "", "", 200},
		{"GET", "/dependencies", "", "", 200}, {"GET", "/proxy-manager/dependencies", "", "", 200},
		{"POST", "/message", "", `{"message_type":"ping","from_service":"x","payload":{"a":[1]},"reply_to":null,"trace_id":"t1"}`, 200},
		{"POST", "/proxy-manager/message", "", `{"message_type":"news","source":"x"}`, 200},
	} {
		url := cmp.Or(call.url, call.path)
		r := c.do(call.method, url, call.body)
		if r.status != call.status {
			t.Errorf("%s %s: %d, not %d: %s", call.method, url, r.status, call.status, r.body)
			continue
		}
		var op operation
		is.NoErr(json.Unmarshal(d.Paths[call.path][strings.ToLower(call.method)], &op))
		answer, ok := op.Responses[fmt.Sprint(r.status)]
		if !ok {
			t.Errorf("%s %s: %d is not documented", call.method, url, r.status)
			continue
		}
		if answer.Ref != "" {
			answer = d.Components.Responses[filepath.Base(answer.Ref)]
		}
		var v any
		is.NoErr(json.Unmarshal([]byte(r.body), &v))
		if err := d.validate(answer.Content["application/json"].Schema, v, "answer"); err != nil {
			t.Errorf("%s %s: %v\n%s", call.method, url, err, r.body)
		}
	}
}

func TestTheDocumentListsEveryCodeWithItsStatus(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t)
	d := c.document()
	var listed []engine.Code
	for _, code := range d.Components.Schemas["Code"]["enum"].([]any) {
		listed = append(listed, engine.Code(code.(string)))
	}
	slices.Sort(listed)
	is.Equal(listed, codes.All())
}

// validate holds a value against a schema, and is stricter than one: a key that the schema does not know is wrong.
func (d document) validate(s schema, v any, place string) error {
	if ref, ok := s["$ref"].(string); ok {
		s = d.Components.Schemas[filepath.Base(ref)]
	}
	if s == nil {
		return fmt.Errorf("%s: no schema", place)
	}
	if list, ok := s["oneOf"].([]any); ok {
		var last error
		for _, one := range list {
			if last = d.validate(one.(map[string]any), v, place); last == nil {
				return nil
			}
		}
		return last
	}
	if values, ok := s["enum"].([]any); ok && !slices.Contains(values, v) {
		return fmt.Errorf("%s: %v is not listed", place, v)
	}
	if value, ok := s["const"]; ok && value != v {
		return fmt.Errorf("%s: %v is not %v", place, v, value)
	}
	if err := typeOf(s["type"], v, place); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		items, _ := s["items"].(map[string]any)
		for i, one := range v {
			if err := d.validate(items, one, fmt.Sprintf("%s[%d]", place, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return d.validateObject(s, v, place)
	}
	return nil
}

// members are the properties of an object and those that it must have, with what it takes over from other schemas.
func (d document) members(s schema) (properties map[string]any, required []any) {
	properties = map[string]any{}
	if ref, ok := s["$ref"].(string); ok {
		s = d.Components.Schemas[filepath.Base(ref)]
	}
	list, _ := s["allOf"].([]any)
	for _, one := range list {
		p, r := d.members(one.(map[string]any))
		maps.Copy(properties, p)
		required = append(required, r...)
	}
	own, _ := s["properties"].(map[string]any)
	maps.Copy(properties, own)
	more, _ := s["required"].([]any)
	return properties, append(required, more...)
}

func (d document) validateObject(s schema, v map[string]any, place string) error {
	properties, required := d.members(s)
	if len(properties) == 0 {
		return nil
	}
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			return fmt.Errorf("%s has no %s", place, name)
		}
	}
	for name, value := range v {
		property, ok := properties[name].(map[string]any)
		if !ok {
			if s["additionalProperties"] == true {
				continue
			}
			return fmt.Errorf("%s.%s is not documented", place, name)
		}
		if err := d.validate(property, value, place+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func typeOf(want any, v any, place string) error {
	var is string
	switch n := v.(type) {
	case nil:
		is = "null"
	case string:
		is = "string"
	case bool:
		is = "boolean"
	case float64:
		is = "number"
		if n == float64(int64(n)) {
			is = "integer"
		}
	case []any:
		is = "array"
	default:
		is = "object"
	}
	for _, name := range append([]any{}, flatten(want)...) {
		if name == is || name == "number" && is == "integer" {
			return nil
		}
	}
	if want == nil {
		return nil
	}
	return fmt.Errorf("%s is %s, not %v", place, is, want)
}

func flatten(want any) []any {
	if list, ok := want.([]any); ok {
		return list
	}
	return []any{want}
}
