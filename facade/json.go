package facade

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// decode reads the body into v and guesses nothing. An empty body is refused.
func decode(r *http.Request, v any) error {
	b, err := readBody(r)
	if err != nil {
		return err
	}
	return decodeBytes(b, v)
}

// decodeOptional is decode for a body that may be left out.
func decodeOptional(r *http.Request, v any) error {
	b, err := readBody(r)
	if err != nil || len(b) == 0 {
		return err
	}
	return decodeBytes(b, v)
}

func decodeBytes(b []byte, v any) error {
	if err := strictjson.Decode(b, len(b), v); err != nil {
		return engine.Invalid(err)
	}
	return nil
}

func readBody(r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= maxStateBody {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := body.ReadFrom(r.Body)
	b := body.Bytes()
	if err == nil {
		return b, nil
	}
	if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refuse(codes.PayloadTooLarge, details{"limit": large.Limit}, "the body is larger than %d bytes", large.Limit)
	}
	return nil, refuse(engine.InvalidInput, details{"field": "", "constraint": "must be a whole body"}, "the body could not be read to its end")
}

// checkBody refuses a body where none is taken, and one that is not declared to be JSON. A web page can send any other
// type to any address without asking, and "contains json" has let some through elsewhere (CVE-2026-27589).
func checkBody(r *http.Request, taken bool) error {
	if r.ContentLength == 0 {
		return nil
	}
	if !taken {
		return refuse(engine.InvalidInput, details{"field": "", "constraint": "must be empty"}, "%s takes no body here", r.Method)
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if strings.EqualFold(params["charset"], "utf-8") {
		delete(params, "charset")
	}
	if err != nil || media != "application/json" || len(params) > 0 || len(r.Header.Values("Content-Type")) != 1 {
		return refuse(codes.UnsupportedMediaType, nil, "the body must be declared as Content-Type: application/json")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return refuse(codes.UnsupportedMediaType, nil, "the body must not be compressed")
	}
	return nil
}

// checkQuery refuses what url.Query would let pass in silence: "?dry_run=true;x" is no pair to it, so that a dry run
// would be a real change.
func checkQuery(raw string, allowed []string) error {
	q, err := url.ParseQuery(raw)
	if err != nil {
		return refuse(engine.InvalidInput, details{"field": "query", "constraint": "must be name=value pairs, joined by &"}, "the query can't be read")
	}
	for name, values := range q {
		field := foreign.Clip(name, 64)
		switch {
		case !slices.Contains(allowed, name):
			return refuse(engine.InvalidInput, details{"field": field, "constraint": oneOf(allowed)}, "there is no parameter %q here", field)
		case len(values) > 1:
			return refuse(engine.InvalidInput, details{"field": field, "constraint": "must be given once"}, "the parameter %q is given more than once", field)
		case values[0] != "true" && values[0] != "false":
			return refuse(engine.InvalidInput, details{"field": field, "constraint": "must be true or false"}, "the parameter %q must be true or false", field)
		}
	}
	return nil
}

func oneOf(allowed []string) string {
	if len(allowed) == 0 {
		return "must be left out"
	}
	return "must be one of: " + strings.Join(allowed, ", ")
}

// flag returns a parameter that [checkQuery] has passed.
func flag(r *http.Request, name string) bool { return r.URL.Query().Get(name) == "true" }
