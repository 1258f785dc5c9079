package codes_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/matryer/is"
)

// contractCodes is the contract's own table.
var contractCodes = []struct {
	code   string
	status int
}{
	{"INVALID_INPUT", 400},
	{"UNAUTHORIZED", 401}, {"FORBIDDEN", 403},
	{"PROXY_NOT_FOUND", 404}, {"NOT_FOUND", 404},
	{"METHOD_NOT_ALLOWED", 405},
	{"DOMAIN_CONFLICT", 409}, {"STALE_PLAN", 409}, {"UNMANAGED_FILE", 409}, {"ADOPTION_REFUSED", 409},
	{"PRECONDITION_FAILED", 412},
	{"PAYLOAD_TOO_LARGE", 413}, {"UNSUPPORTED_MEDIA_TYPE", 415},
	{"UPSTREAM_UNHEALTHY", 422},
	{"LOCKED", 423},
	{"SSL_RATE_LIMITED", 429}, {"TOO_MANY_REQUESTS", 429},
	{"CONFIG_READ_FAILED", 500}, {"CONFIG_WRITE_FAILED", 500}, {"CONFIG_DELETE_FAILED", 500}, {"NGINX_TEST_FAILED", 500}, {"NGINX_RELOAD_FAILED", 500}, {"ROUTE_NOT_SERVED", 500}, {"INTERNAL", 500},
	{"SSL_ISSUANCE_FAILED", 502},
	{"NGINX_BROKEN", 503}, {"NGINX_NOT_RUNNING", 503}, {"REGISTRY_NOT_CONFIGURED", 503}, {"REGISTRY_UNAVAILABLE", 503}, {"SHUTTING_DOWN", 503},
}

func TestEveryCodeHasTheContractsStatus(t *testing.T) {
	is := is.New(t)
	for _, row := range contractCodes {
		is.Equal(codes.Status(engine.Code(row.code)), row.status)
		is.True(slices.Contains(codes.All(), engine.Code(row.code)))
	}
	is.Equal(len(codes.All()), len(contractCodes))
}

func TestEveryCodeOfTheEngineIsInTheContract(t *testing.T) {
	is := is.New(t)
	known := map[string]bool{}
	for _, row := range contractCodes {
		known[row.code] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../../engine/errors.go", nil, 0)
	is.NoErr(err)
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != "Code" {
			return true
		}
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		is.NoErr(err)
		is.True(known[code])
		found++
		return true
	})
	is.True(found >= 20)
}

func TestTheExitCodeSaysWhatBecameOfTheHost(t *testing.T) {
	is := is.New(t)
	fail := func(code engine.Code, o engine.Outcome) error {
		return fmt.Errorf("apply: %w", &engine.Error{Code: code, Outcome: o})
	}
	for _, test := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{fail(engine.InvalidInput, engine.Untouched), 1},
		{fail(engine.NginxTestFailed, engine.Undone), 3},
		{fail(engine.SSLIssuanceFailed, engine.Partial), 3},
		{fail(engine.NginxReloadFailed, engine.NeedsRecovery), 4},
		{fail(engine.StalePlan, engine.Untouched), 5},
		{fail(engine.Locked, engine.Untouched), 6},
	} {
		is.Equal(codes.Exit(test.err), test.want)
	}
}
