package facade

import (
	"net/http"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// Codes that only HTTP has: the engine never sees what they refuse.
const (
	Unauthorized         engine.Code = "UNAUTHORIZED"
	Forbidden            engine.Code = "FORBIDDEN"
	MethodNotAllowed     engine.Code = "METHOD_NOT_ALLOWED"
	PayloadTooLarge      engine.Code = "PAYLOAD_TOO_LARGE"
	UnsupportedMediaType engine.Code = "UNSUPPORTED_MEDIA_TYPE"
)

// A meaning is what a code says to a caller over HTTP and to a shell.
type meaning struct {
	status int
	// exit is the CLI's exit code when nothing was changed. What became of the host overrules it, see [ExitCode].
	exit int
}

// codes is every code there is.
var codes = map[engine.Code]meaning{
	engine.InvalidInput:          {http.StatusBadRequest, exitRefused},
	Unauthorized:                 {http.StatusUnauthorized, exitRefused},
	Forbidden:                    {http.StatusForbidden, exitRefused},
	engine.ProxyNotFound:         {http.StatusNotFound, exitRefused},
	engine.NotFound:              {http.StatusNotFound, exitRefused},
	MethodNotAllowed:             {http.StatusMethodNotAllowed, exitRefused},
	engine.DomainConflict:        {http.StatusConflict, exitRefused},
	engine.StalePlan:             {http.StatusConflict, exitStale},
	engine.UnmanagedFile:         {http.StatusConflict, exitRefused},
	engine.PreconditionFailed:    {http.StatusPreconditionFailed, exitRefused},
	PayloadTooLarge:              {http.StatusRequestEntityTooLarge, exitRefused},
	UnsupportedMediaType:         {http.StatusUnsupportedMediaType, exitRefused},
	engine.UpstreamUnhealthy:     {http.StatusUnprocessableEntity, exitRefused},
	engine.Locked:                {http.StatusLocked, exitLocked},
	engine.SSLRateLimited:        {http.StatusTooManyRequests, exitRefused},
	engine.ConfigReadFailed:      {http.StatusInternalServerError, exitRefused},
	engine.ConfigWriteFailed:     {http.StatusInternalServerError, exitRefused},
	engine.ConfigDeleteFailed:    {http.StatusInternalServerError, exitRefused},
	engine.NginxTestFailed:       {http.StatusInternalServerError, exitRefused},
	engine.NginxReloadFailed:     {http.StatusInternalServerError, exitRefused},
	engine.Internal:              {http.StatusInternalServerError, exitRefused},
	engine.SSLIssuanceFailed:     {http.StatusBadGateway, exitRefused},
	engine.NginxBroken:           {http.StatusServiceUnavailable, exitRefused},
	engine.RegistryNotConfigured: {http.StatusServiceUnavailable, exitRefused},
	engine.RegistryUnavailable:   {http.StatusServiceUnavailable, exitRefused},
	engine.ShuttingDown:          {http.StatusServiceUnavailable, exitRefused},
}

// The CLI's exit codes for failures. 2 means that changes are planned, and is no failure.
const (
	exitRefused       = 1 // nothing was changed
	exitUndone        = 3 // it failed, and what was done was taken back
	exitNeedsRecovery = 4
	exitStale         = 5
	exitLocked        = 6
)

// StatusOf returns the HTTP status of a code: 500 for one that is not in the table.
func StatusOf(code engine.Code) int {
	if m, ok := codes[code]; ok {
		return m.status
	}
	return http.StatusInternalServerError
}

// ExitCode returns what the CLI exits with: 0 for nil, and otherwise by what became of the host, then by the code.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	switch engine.OutcomeOf(err) {
	case engine.NeedsRecovery:
		return exitNeedsRecovery
	case engine.Undone, engine.Partial:
		return exitUndone
	}
	if m, ok := codes[engine.CodeOf(err)]; ok {
		return m.exit
	}
	return exitRefused
}
