package facade

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// An errorBody is what every error looks like.
type errorBody struct {
	Error errorFacts `json:"error"`
}

type errorFacts struct {
	Code    engine.Code    `json:"code"`
	Message string         `json:"message"`
	Details map[string]any `json:"details"`
}

type details = map[string]any

// refuse returns an error of this package's own making: nothing has been changed.
func refuse(code engine.Code, d details, format string, args ...any) error {
	return &engine.Error{Code: code, Message: fmt.Sprintf(format, args...), Details: d}
}

// A handler answers a request, or returns the error to answer with before it has written anything.
type handler func(w http.ResponseWriter, r *http.Request) error

// ServeHTTP implements [http.Handler].
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		writeError(w, r, err)
	}
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	facts := factsOf(r, err)
	callOf(r).code, callOf(r).err = facts.Code, err
	if after := retryAfter(facts); after != "" {
		w.Header().Set("Retry-After", after)
	}
	if facts.Code == codes.Unauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	_ = writeJSON(w, codes.Status(facts.Code), errorBody{facts})
}

// maxMessage bounds what an error says: it may quote, and must not echo.
const maxMessage = 4096

func factsOf(r *http.Request, err error) errorFacts {
	facts := errorFacts{Code: engine.CodeOf(err), Message: foreign.Clip(err.Error(), maxMessage), Details: details{}}
	if known, ok := errors.AsType[*engine.Error](err); ok {
		for name, value := range known.Details {
			facts.Details[name] = bounded(value)
		}
		if known.Step != "" {
			facts.Details["step"] = known.Step
		}
		if known.Outcome != engine.Untouched {
			facts.Details["outcome"] = known.Outcome.String()
		}
	} else {
		facts.Message = "something went wrong that was not foreseen; the log has it under this correlation id"
	}
	facts.Details["correlation_id"] = callOf(r).id
	return facts
}

// maxDetail bounds one text of an error's details, such as nginx's output, and maxDetails how many texts a list has.
const (
	maxDetail  = 16 << 10
	maxDetails = 100
)

// bounded keeps a made-up plan from having itself told back, path by path.
func bounded(value any) any {
	switch v := value.(type) {
	case string:
		return foreign.Clip(v, maxDetail)
	case []string:
		list := make([]string, 0, min(len(v), maxDetails+1))
		for _, text := range v[:min(len(v), maxDetails)] {
			list = append(list, foreign.Clip(text, maxMessage))
		}
		if more := len(v) - len(list); more > 0 {
			list = append(list, fmt.Sprintf("and %d more", more))
		}
		return list
	}
	return value
}

// retryAfter returns how long a client should wait (RFC 9110, section 10.2.3), in seconds; "" where no time is known.
func retryAfter(facts errorFacts) string {
	switch facts.Code {
	case engine.Locked, engine.ShuttingDown:
		return "5"
	case engine.SSLRateLimited, codes.TooManyRequests:
	default:
		return ""
	}
	wait := time.Hour
	switch v := facts.Details["retry_after"].(type) {
	case time.Duration:
		wait = v
	case time.Time:
		wait = time.Until(v)
	case int:
		wait = time.Duration(v) * time.Second
	case string:
		if at, err := time.Parse(time.RFC3339, v); err == nil {
			wait = time.Until(at)
		}
	}
	return strconv.Itoa(int(math.Ceil(max(wait, time.Second).Seconds())))
}
