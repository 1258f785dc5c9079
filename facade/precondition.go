package facade

import (
	"net/http"
	"regexp"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

func etag(st engine.RouteStatus) string { return `"` + st.Fingerprint + `"` }

// etagList is the value of If-Match and If-None-Match (RFC 9110, section 13.1), but for "*".
var etagList = regexp.MustCompile(`^(?:W/)?"[!#-~]*"(?:[ \t]*,[ \t]*(?:W/)?"[!#-~]*")*$`)

var oneETag = regexp.MustCompile(`(W/)?("[!#-~]*")`)

// A condition is what a request says about the present state of its route.
type condition struct {
	header string
	any    bool
	tags   []string // strong ones only: a weak one never matches a change
}

func parseConditions(r *http.Request) ([]condition, error) {
	var list []condition
	for _, header := range []string{"If-Match", "If-None-Match"} {
		values := r.Header.Values(header)
		switch {
		case len(values) == 0:
			continue
		case len(values) > 1 || len(values[0]) > 4096 || values[0] != "*" && !etagList.MatchString(values[0]):
			return nil, refuse(engine.InvalidInput, details{"field": header, "constraint": `must be * or a list of ETags in double quotes`}, "%s can't be read", header)
		}
		c := condition{header: header, any: values[0] == "*"}
		for _, m := range oneETag.FindAllStringSubmatch(values[0], -1) {
			if m[1] == "" || header == "If-None-Match" {
				c.tags = append(c.tags, m[2])
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// precondition returns the request's conditions in the engine's form, or nil where there are none. The engine calls it
// while nobody else can write, so that between the look and the change there is nothing.
func precondition(r *http.Request) (func(engine.RouteStatus) error, error) {
	list, err := parseConditions(r)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return func(now engine.RouteStatus) error {
		tag := ""
		if now.Name != "" {
			tag = etag(now)
		}
		for _, c := range list {
			if matches := c.matches(tag); matches != (c.header == "If-Match") {
				return refuse(engine.PreconditionFailed, details{"header": c.header}, "the route is not as %s says: get it again, and decide anew", c.header)
			}
		}
		return nil
	}, nil
}

// matches reports whether something that is there is meant. What is not there has no tag.
func (c condition) matches(tag string) bool {
	return tag != "" && (c.any || slices.Contains(c.tags, tag))
}

// unchanged says which version is there, and answers a client that has a copy and may keep it (If-None-Match of a GET).
// It reports whether it did.
func unchanged(w http.ResponseWriter, r *http.Request, tag string) (bool, error) {
	list, err := parseConditions(r)
	if err != nil {
		return false, err
	}
	w.Header().Set("ETag", tag)
	if !slices.ContainsFunc(list, func(c condition) bool { return c.header == "If-None-Match" && c.matches(tag) }) {
		return false, nil
	}
	limitWrites(w, 0)
	w.WriteHeader(http.StatusNotModified)
	return true, nil
}
