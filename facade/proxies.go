package facade

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func (s *Server) listProxies() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		routes, err := s.eng.Routes(r.Context())
		if err != nil {
			writeError(w, r, err)
			return
		}
		list := make([]RouteView, len(routes))
		for i, st := range routes {
			list[i] = View(st)
		}
		writeJSON(w, http.StatusOK, list)
	})
}

func (s *Server) getProxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st, err := s.routeOf(r)
		if err != nil {
			writeError(w, r, err)
			return
		}
		w.Header().Set("ETag", etag(st))
		same, err := unchanged(r, st)
		if err != nil {
			writeError(w, r, err)
			return
		}
		if same {
			limitWrites(w)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		writeJSON(w, http.StatusOK, Detail(r.Context(), s.eng, st))
	})
}

// Detail gathers what is known of a route without asking its upstream.
func Detail(ctx context.Context, eng *engine.Engine, st engine.RouteStatus) RouteDetail {
	d := RouteDetail{RouteView: View(st), LastHealthStatus: "unknown", Drifted: st.Drifted}
	if h, ok := eng.LastHealth(st.Name); ok {
		d.LastHealthStatus, d.LastHealthReason, d.LastHealthCheckedAt = "healthy", h.Reason, &h.CheckedAt
		if !h.Healthy {
			d.LastHealthStatus = "unhealthy"
		}
	}
	if st.Route.EnableSSL() {
		if c, err := eng.Certificate(ctx, st.Name); err == nil {
			d.Certificate = &c
		}
	}
	return d
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
		return "", invalid(err)
	}
	callOf(r).droplet = name
	return name, nil
}

func (s *Server) putProxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, err := decodePut(r)
		if err != nil {
			writeError(w, r, err)
			return
		}
		s.put(w, r, route)
	})
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
		return route, invalid(err)
	}
	return route, nil
}

func (s *Server) postProxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, err := decodePost(r)
		if err != nil {
			writeError(w, r, err)
			return
		}
		s.put(w, r, route)
	})
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
	RouteView
	Next *next `json:"next,omitempty"`
}

type next struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	Description string `json:"description"`
}

func (s *Server) put(w http.ResponseWriter, r *http.Request, route resources.Route) {
	callOf(r).droplet, callOf(r).domain = route.Name(), route.Domain()
	req := engine.Put(route)
	req.Issue = s.opts.AutoIssueSSL && route.EnableSSL()
	var err error
	if req.Precondition, err = precondition(r); err != nil {
		writeError(w, r, err)
		return
	}
	if flag(r, dryRun) {
		s.planOnly(w, r, req)
		return
	}
	result, err := s.do(r.Context(), req)
	if err != nil {
		writeError(w, r, err)
		return
	}
	s.answerPut(w, r, route, result)
}

func (s *Server) answerPut(w http.ResponseWriter, r *http.Request, route resources.Route, result *engine.Result) {
	st, err := s.eng.Route(r.Context(), route.Name())
	if err != nil {
		writeError(w, r, err) // somebody else has deleted it in this very moment
		return
	}
	status, body := http.StatusOK, putAnswer{RouteView: View(st)}
	if created(result.Plan, route.Address()) {
		status = http.StatusCreated
		w.Header().Set("Location", "/proxies/"+route.Name())
	}
	if st.Status == engine.PendingSSL {
		status = http.StatusAccepted
		body.Next = &next{http.MethodPost, "/proxies/" + route.Name() + "/ssl", "obtain the certificate; until then the route answers over HTTP"}
	}
	w.Header().Set("ETag", etag(st))
	writeJSON(w, status, body)
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

func (s *Server) deleteProxy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st, err := s.routeOf(r)
		if err != nil && !isCode(err, engine.ProxyNotFound) {
			writeError(w, r, err)
			return
		}
		name := callOf(r).droplet
		req := engine.Delete(name)
		if req.Precondition, err = precondition(r); err != nil {
			writeError(w, r, err)
			return
		}
		callOf(r).domain = st.Route.Domain()
		if flag(r, dryRun) {
			s.planOnly(w, r, req)
			return
		}
		if _, err := s.do(r.Context(), req); err != nil {
			writeError(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, deleted{"deleted", name})
	})
}
