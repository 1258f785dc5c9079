package facade

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/view"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func (s *Server) listProxies(w http.ResponseWriter, r *http.Request) error {
	l, err := s.list.current(r.Context(), s.eng)
	if err != nil {
		return err
	}
	if same, err := unchanged(w, r, l.tag); same || err != nil {
		return err
	}
	if takesGzip(w) && l.compressed != nil {
		w.Header().Set("Content-Encoding", "gzip")
		sendEncoded(w, http.StatusOK, jsonMedia, l.compressed)
		return nil
	}
	sendEncoded(w, http.StatusOK, jsonMedia, l.body)
	return nil
}

// A list is all routes, encoded once for all who ask while nothing changes: however many clients are slow to read it, there
// is one copy.
type list struct {
	mu      sync.Mutex
	version uint64
	known   *encodedList
}

type encodedList struct {
	body, compressed []byte // compressed is nil where that is not worth it
	tag              string // the ETag
}

func (l *list) current(ctx context.Context, eng *engine.Engine) (*encodedList, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	routes, version, err := eng.RoutesSince(ctx, l.version)
	if err != nil || l.known != nil && version == l.version {
		return l.known, err
	}
	shown := make([]view.Route, len(routes))
	for i, st := range routes {
		shown[i] = view.RouteOf(st)
	}
	body, err := encode(shown)
	if err != nil {
		return nil, err
	}
	l.version = version
	if l.known != nil && bytes.Equal(l.known.body, body) {
		return l.known, nil
	}
	l.known = &encodedList{body: body, tag: fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(body)))}
	if len(body) >= minCompressed {
		l.known.compressed = compress(body)
	}
	return l.known, nil
}

func (s *Server) getProxy(w http.ResponseWriter, r *http.Request) error {
	st, err := s.routeOf(r)
	if err != nil {
		return err
	}
	if same, err := unchanged(w, r, etag(st)); same || err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, view.DetailOf(r.Context(), s.eng, st))
}

// routeOf returns the route that a request's path names.
func (s *Server) routeOf(r *http.Request) (engine.RouteStatus, error) {
	name, err := pathName(r)
	if err != nil {
		return engine.RouteStatus{}, err
	}
	st, err := s.eng.Route(r.Context(), name)
	callOf(r).domain = st.Route.Domain()
	return st, err
}

func pathName(r *http.Request) (string, error) {
	name, err := resources.ParseName(r.PathValue("droplet_name"))
	if err != nil {
		return "", engine.Invalid(err)
	}
	callOf(r).droplet = name
	return name, nil
}

func (s *Server) putProxy(w http.ResponseWriter, r *http.Request) error {
	route, err := decodePut(r)
	if err != nil {
		return err
	}
	return s.put(w, r, engine.Put(route))
}

// decodePut reads the body of a PUT. The path names the route; a body that names another is a mistake.
func decodePut(r *http.Request) (resources.Route, error) {
	name, err := pathName(r)
	if err != nil {
		return resources.Route{}, err
	}
	var f resources.RouteFields
	if err := decode(r, &f); err != nil {
		return resources.Route{}, err
	}
	if f.DropletName != "" && !strings.EqualFold(f.DropletName, name) {
		return resources.Route{}, refuse(engine.InvalidInput, details{"field": "droplet_name", "constraint": "must be left out, or be the name in the path"},
			"droplet_name is not the name in the path, %q", name)
	}
	f.DropletName = name
	return newRoute(f)
}

func newRoute(f resources.RouteFields) (resources.Route, error) {
	route, err := resources.NewRoute(f)
	if err != nil {
		return route, engine.Invalid(err)
	}
	return route, nil
}

func (s *Server) postProxy(w http.ResponseWriter, r *http.Request) error {
	route, named, err := decodePost(r)
	if err != nil {
		return err
	}
	req := engine.Put(route)
	if !named {
		req.Precondition = keepsItsDomain(route)
	}
	return s.put(w, r, req)
}

// keepsItsDomain refuses to give a route's name to another domain, where nobody has asked for that name.
func keepsItsDomain(route resources.Route) func(engine.RouteStatus) error {
	return func(now engine.RouteStatus) error {
		if now.Name == "" || now.Route.Domain() == route.Domain() {
			return nil
		}
		return refuse(engine.DomainConflict, details{"droplet_name": now.Name, "domain": now.Route.Domain()},
			"the name %q, which comes of the domain's first label, is that of a route for %s: give a droplet_name", now.Name, cmp.Or(now.Route.Domain(), "something else"))
	}
}

// A postBody is a route whose name may be left to its domain, and whose upstream may be one text.
type postBody struct {
	resources.RouteFields
	Upstream *string `json:"upstream"`
}

// decodePost reads the body of a POST, and reports whether it names its route.
func decodePost(r *http.Request) (route resources.Route, named bool, err error) {
	var body postBody
	if err := decode(r, &body); err != nil {
		return route, false, err
	}
	f := body.RouteFields
	if f.DropletName == "" && f.Domain == "" {
		return route, false, refuse(engine.InvalidInput, details{"field": "domain", "constraint": "must be given"}, "domain is missing")
	}
	if named = f.DropletName != ""; !named {
		f.DropletName, _, _ = strings.Cut(f.Domain, ".")
	}
	if body.Upstream != nil {
		if f.UpstreamHost != "" || f.UpstreamPort != 0 || f.UpstreamScheme != "" {
			return route, false, refuse(engine.InvalidInput, details{"field": "upstream", "constraint": "must be left out where upstream_host, upstream_port or upstream_scheme is given"},
				"upstream is given twice, as one text and in parts")
		}
		if err := setUpstream(&f, *body.Upstream); err != nil {
			return route, false, err
		}
	}
	route, err = newRoute(f)
	return route, named, err
}

// setUpstream reads "http://host:port". What the parts may be is the route's own business.
func setUpstream(f *resources.RouteFields, text string) error {
	wrong := refuse(engine.InvalidInput, details{"field": "upstream", "constraint": `must be "http://host:port" or "https://host:port", and no more`}, `upstream is not "http://host:port"`)
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Hostname() == "" {
		return wrong
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return wrong
	}
	f.UpstreamScheme, f.UpstreamHost, f.UpstreamPort = u.Scheme, u.Hostname(), port
	return nil
}

// A putAnswer is the route as it is now, and what has to be called for the rest.
type putAnswer struct {
	view.Route
	Next *next `json:"next,omitempty"`
}

type next struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Description string `json:"description"`
}

// put makes a request for one route.
func (s *Server) put(w http.ResponseWriter, r *http.Request, req engine.Request) error {
	route := req.Routes[0]
	callOf(r).droplet, callOf(r).domain = route.Name(), route.Domain()
	req.Issue = s.opts.AutoIssueSSL && route.EnableSSL()
	return s.carryOut(w, r, req, func(result *engine.Result) error { return s.answerPut(w, r, route, result) })
}

func (s *Server) answerPut(w http.ResponseWriter, r *http.Request, route resources.Route, result *engine.Result) error {
	st, err := s.eng.Route(r.Context(), route.Name())
	if err != nil {
		return err // somebody else has deleted it in this very moment
	}
	status, body := http.StatusOK, putAnswer{Route: view.RouteOf(st)}
	if created(result.Plan, route.Address()) {
		status = http.StatusCreated
		w.Header().Set("Location", prefixOf(r)+"/proxies/"+route.Name())
	}
	if st.Status == engine.PendingSSL {
		status = http.StatusAccepted
		body.Next = &next{http.MethodPost, prefixOf(r) + "/proxies/" + route.Name() + "/ssl", "obtain the certificate; until then the route answers over HTTP"}
	}
	w.Header().Set("ETag", etag(st))
	return writeJSON(w, status, body)
}

func created(p *plan.Plan, address string) bool {
	for _, c := range p.Changes {
		if c.Address == address {
			return c.Action == plan.Create
		}
	}
	return false
}

// A deleted is what is left of a route.
type deleted struct {
	Status      string `json:"status"` // "deleted"
	DropletName string `json:"droplet_name"`
}

func (s *Server) deleteProxy(w http.ResponseWriter, r *http.Request) error {
	st, err := s.routeOf(r)
	if err != nil && !isCode(err, engine.ProxyNotFound) {
		return err
	}
	name := callOf(r).droplet
	callOf(r).domain = st.Route.Domain()
	return s.carryOut(w, r, engine.Delete(name), func(*engine.Result) error {
		return writeJSON(w, http.StatusOK, deleted{"deleted", name})
	})
}
