package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A Code says what went wrong, in the words that every way in (library, CLI, HTTP) uses.
type Code string

const (
	InvalidInput          Code = "INVALID_INPUT"
	ProxyNotFound         Code = "PROXY_NOT_FOUND"
	NotFound              Code = "NOT_FOUND"
	DomainConflict        Code = "DOMAIN_CONFLICT"
	StalePlan             Code = "STALE_PLAN"
	UnmanagedFile         Code = "UNMANAGED_FILE"
	AdoptionRefused       Code = "ADOPTION_REFUSED"
	PreconditionFailed    Code = "PRECONDITION_FAILED"
	UpstreamUnhealthy     Code = "UPSTREAM_UNHEALTHY"
	Locked                Code = "LOCKED"
	SSLRateLimited        Code = "SSL_RATE_LIMITED"
	ConfigReadFailed      Code = "CONFIG_READ_FAILED"
	ConfigWriteFailed     Code = "CONFIG_WRITE_FAILED"
	ConfigDeleteFailed    Code = "CONFIG_DELETE_FAILED"
	NginxTestFailed       Code = "NGINX_TEST_FAILED"
	NginxReloadFailed     Code = "NGINX_RELOAD_FAILED"
	NginxNotRunning       Code = "NGINX_NOT_RUNNING"
	RouteNotServed        Code = "ROUTE_NOT_SERVED"
	NginxBroken           Code = "NGINX_BROKEN"
	SSLIssuanceFailed     Code = "SSL_ISSUANCE_FAILED"
	RegistryNotConfigured Code = "REGISTRY_NOT_CONFIGURED"
	RegistryUnavailable   Code = "REGISTRY_UNAVAILABLE"
	ShuttingDown          Code = "SHUTTING_DOWN"
	Internal              Code = "INTERNAL"
)

// An Outcome says what became of the host when something failed.
type Outcome int

const (
	// Untouched: it failed, or was refused, before anything was changed.
	Untouched Outcome = iota
	// Undone: steps were done, and all of them were taken back. A certificate that was issued is kept.
	Undone
	// Partial: a certificate could not be had. What does not depend on it is done and kept: the route answers over HTTP.
	Partial
	// NeedsRecovery: taking back could not be finished. The journal is kept, and Recover goes on from it.
	NeedsRecovery
)

func (o Outcome) String() string {
	switch o {
	case Undone:
		return "everything was undone"
	case Partial:
		return "the route answers over HTTP; what needs the certificate was left out"
	case NeedsRecovery:
		return "undo could not be finished: run 'recover' of the program that made the change"
	default:
		return "nothing was changed"
	}
}

// An Error is what the engine's methods return for everything that can be foreseen.
type Error struct {
	Code    Code
	Message string // a sentence a person can act on, without the code
	// Outcome says what became of the host.
	Outcome Outcome
	// Step is the ID of the step that failed, if one did.
	Step string
	// Details are facts for programs: "field", "constraint", "nginx_output", "reason", "file", "reasons" of an adoption, "holder", "step_kinds" and
	// "program" of a change that another program has to recover, ….
	Details map[string]any
	// Err is the cause.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	if e.Err != nil {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, &Error{Code: c}) true for every error with that code, so that sentinels are not needed.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Message == "" && t.Err == nil && t.Code == e.Code
}

// with returns e with one more detail.
func (e *Error) with(key string, value any) *Error {
	if e.Details == nil {
		e.Details = map[string]any{}
	}
	e.Details[key] = value
	return e
}

func failf(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: cause}
}

// CodeOf returns the code of the first [Error] in err's chain, or Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// OutcomeOf returns the outcome of the first [Error] in err's chain: Untouched where there is none.
func OutcomeOf(err error) Outcome {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Untouched
}

func notFound(name string) *Error {
	return failf(ProxyNotFound, nil, "there is no route named %.80q; 'proxy-manager list' shows those that are", name).with("droplet_name", name)
}

func unmanaged(path string) *Error {
	return failf(UnmanagedFile, nil, "%s was not written by this program and is left alone: rename it, or take it over with 'proxy-manager adopt'", path).with("file", path)
}

// Invalid returns an error of something that a user gave (packages resources, strictjson and plan have such) with its code
// and its details.
//
// Details "field" and "constraint" say what is wrong where; the field is empty where the text as a whole is meant. Of a
// domain that two sites want, "domain" is that, and "file" the site beside the one that was asked for: its file, or its
// address where it is a route of the same request.
func Invalid(err error) *Error {
	if c, ok := errors.AsType[*resources.DomainConflict](err); ok {
		return failf(DomainConflict, err, "").with("domain", c.Domain).with("file", c.Second)
	}
	field, constraint := "", err.Error()
	if f, ok := errors.AsType[*resources.FieldError](err); ok {
		field, constraint = f.Field, f.Constraint
	} else if text, ok := errors.AsType[*strictjson.Error](err); ok {
		field, constraint = text.Field, text.Constraint
	}
	return failf(InvalidInput, err, "").with("field", field).with("constraint", constraint)
}
