// Package codes says what each [engine.Code] means to a caller over HTTP and to a shell. It is the one table of them, for
// packages facade and cli both.
package codes

import (
	"maps"
	"net/http"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// Codes that only HTTP has: the engine never sees what they refuse.
const (
	Unauthorized         engine.Code = "UNAUTHORIZED"
	Forbidden            engine.Code = "FORBIDDEN"
	MethodNotAllowed     engine.Code = "METHOD_NOT_ALLOWED"
	PayloadTooLarge      engine.Code = "PAYLOAD_TOO_LARGE"
	UnsupportedMediaType engine.Code = "UNSUPPORTED_MEDIA_TYPE"
	TooManyRequests      engine.Code = "TOO_MANY_REQUESTS"
)

// A meaning is a row of the table.
type meaning struct {
	status int
	// exit is the CLI's exit code when nothing was changed. What became of the host overrules it, see [Exit].
	exit int
}

// table is every code there is.
var table = map[engine.Code]meaning{
	engine.InvalidInput:          {http.StatusBadRequest, refused},
	Unauthorized:                 {http.StatusUnauthorized, refused},
	Forbidden:                    {http.StatusForbidden, refused},
	engine.ProxyNotFound:         {http.StatusNotFound, refused},
	engine.NotFound:              {http.StatusNotFound, refused},
	MethodNotAllowed:             {http.StatusMethodNotAllowed, refused},
	engine.DomainConflict:        {http.StatusConflict, refused},
	engine.StalePlan:             {http.StatusConflict, stale},
	engine.UnmanagedFile:         {http.StatusConflict, refused},
	engine.AdoptionRefused:       {http.StatusConflict, refused},
	engine.PreconditionFailed:    {http.StatusPreconditionFailed, refused},
	PayloadTooLarge:              {http.StatusRequestEntityTooLarge, refused},
	UnsupportedMediaType:         {http.StatusUnsupportedMediaType, refused},
	engine.UpstreamUnhealthy:     {http.StatusUnprocessableEntity, refused},
	engine.Locked:                {http.StatusLocked, locked},
	engine.SSLRateLimited:        {http.StatusTooManyRequests, refused},
	TooManyRequests:              {http.StatusTooManyRequests, refused},
	engine.ConfigReadFailed:      {http.StatusInternalServerError, refused},
	engine.ConfigWriteFailed:     {http.StatusInternalServerError, refused},
	engine.ConfigDeleteFailed:    {http.StatusInternalServerError, refused},
	engine.NginxTestFailed:       {http.StatusInternalServerError, refused},
	engine.NginxReloadFailed:     {http.StatusInternalServerError, refused},
	engine.Internal:              {http.StatusInternalServerError, refused},
	engine.SSLIssuanceFailed:     {http.StatusBadGateway, refused},
	engine.NginxNotRunning:       {http.StatusServiceUnavailable, refused},
	engine.RouteNotServed:        {http.StatusInternalServerError, refused},
	engine.NginxBroken:           {http.StatusServiceUnavailable, refused},
	engine.RegistryNotConfigured: {http.StatusServiceUnavailable, refused},
	engine.RegistryUnavailable:   {http.StatusServiceUnavailable, refused},
	engine.ShuttingDown:          {http.StatusServiceUnavailable, refused},
}

// The CLI's exit codes for failures. 2 means that changes are planned, and is no failure.
const (
	refused       = 1 // nothing was changed
	undone        = 3 // it failed, and what was done was taken back
	needsRecovery = 4
	stale         = 5
	locked        = 6
)

// All returns every code there is, in the order of the alphabet.
func All() []engine.Code { return slices.Sorted(maps.Keys(table)) }

// Status returns the HTTP status of a code: 500 for one that is not in the table.
func Status(code engine.Code) int {
	if m, ok := table[code]; ok {
		return m.status
	}
	return http.StatusInternalServerError
}

// Exit returns what the CLI exits with: 0 for nil, and otherwise by what became of the host, then by the code of err.
func Exit(err error) int {
	if err == nil {
		return 0
	}
	switch engine.OutcomeOf(err) {
	case engine.NeedsRecovery:
		return needsRecovery
	case engine.Undone, engine.Partial:
		return undone
	}
	if m, ok := table[engine.CodeOf(err)]; ok {
		return m.exit
	}
	return refused
}
