package facade

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/view"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func (s *Server) listProxies(w http.ResponseWriter, r *http.Request) error {
	routes, err := s.eng.Routes(r.Context())
	if err != nil {
		return err
	}
	list := make([]view.Route, len(routes))
	for i, st := range routes {
		list[i] = view.RouteOf(st)
	}
	return writeJSON(w, http.StatusOK, list)
}

func (s *Server) getProxy(w http.ResponseWriter, r *http.Request) error {
	st, err := s.routeOf(r)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(st))
	same, err := unchanged(r, st)
	if err != nil {
		return err
	}
	if same {
		limitWrites(w)
		w.WriteHeader(http.StatusNotModified)
		return nil
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
	return s.put(w, r, route)
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
	route, err := decodePost(r)
	if err != nil {
		return err
	}
	return s.put(w, r, route)
}

// A postBody is a route whose name may be left to its domain, and whose upstream may be one text.
type postBody struct {
	resources.RouteFields
	Upstream *string `json:"upstream"`
}

func decodePost(r *http.Request) (resources.Route, error) {
	var body postBody
	if err := decode(r, &body); err != nil {
		return resources.Route{}, err
	}
	f := body.RouteFields
	if f.DropletName == "" && f.Domain == "" {
		return resources.Route{}, refuse(engine.InvalidInput, details{"field": "domain", "constraint": "must be given"}, "domain is missing")
	}
	if f.DropletName == "" {
		f.DropletName, _, _ = strings.Cut(f.Domain, ".")
	}
	if body.Upstream != nil {
		if f.UpstreamHost != "" || f.UpstreamPort != 0 || f.UpstreamScheme != "" {
			return resources.Route{}, refuse(engine.InvalidInput, details{"field": "upstream", "constraint": "must be left out where upstream_host, upstream_port or upstream_scheme is given"},
				"upstream is given twice, as one text and in parts")
		}
		if err := setUpstream(&f, *body.Upstream); err != nil {
			return resources.Route{}, err
		}
	}
	return newRoute(f)
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

func (s *Server) put(w http.ResponseWriter, r *http.Request, route resources.Route) error {
	callOf(r).droplet, callOf(r).domain = route.Name(), route.Domain()
	req := engine.Put(route)
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
		w.Header().Set("Location", "/proxies/"+route.Name())
	}
	if st.Status == engine.PendingSSL {
		status = http.StatusAccepted
		body.Next = &next{http.MethodPost, "/proxies/" + route.Name() + "/ssl", "obtain the certificate; until then the route answers over HTTP"}
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
