package facade

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// An endpoint is one thing that can be asked for. The router, /capabilities and the tests of access and of the OpenAPI
// document all go by the same list.
type endpoint struct {
	method, path string
	description  string
	handler      handler
	query        []string // parameters that it takes
	changes      bool     // it changes the host, and so takes dry_run
	limit        int64    // of its body, in bytes; 0 takes none
}

const dryRun = "dry_run"

// routes lists every endpoint, in the order of the documentation.
func (s *Server) routes() []endpoint {
	list := []endpoint{
		{"PUT", "/proxies/{droplet_name}", "create or update a route", s.putProxy, nil, true, maxBody},
		{"POST", "/proxies", "create or update a route, named after its domain if need be", s.postProxy, nil, true, maxBody},
		{"GET", "/proxies", "list the routes", s.listProxies, nil, false, 0},
		{"GET", "/proxies/{droplet_name}", "show a route, its health, certificate and drift", s.getProxy, nil, false, 0},
		{"DELETE", "/proxies/{droplet_name}", "delete a route", s.deleteProxy, nil, true, 0},
		{"POST", "/proxies/{droplet_name}/ssl", "obtain or renew a route's certificate", s.issueCertificate, nil, true, maxBody},
		{"GET", "/proxy-manager/health", "nginx and certbot as they are", s.proxyManagerHealth, nil, false, 0},
		{"GET", "/proxy-manager/sync-from-registry", "create and update routes from the Registry", s.sync, nil, true, 0},
		{"POST", "/proxy-manager/sync-from-registry", "create and update routes from the Registry", s.sync, nil, true, maxBody},
		{"POST", "/plan", "plan a whole desired state", s.plan, []string{keepUnlisted}, false, maxStateBody},
		{"POST", "/apply", "apply a whole desired state, or a plan", s.apply, []string{keepUnlisted}, true, maxStateBody},
		{"GET", "/metrics", "metrics for Prometheus", s.showMetrics, nil, false, 0},
		{"GET", "/openapi.json", "this interface, for machines", s.openAPI, nil, false, 0},
		{"GET", "/health", "whether the service is well", s.health, nil, false, 0},
	}
	for _, prefix := range []string{"", "/proxy-manager"} {
		list = append(list,
			endpoint{"GET", prefix + "/capabilities", "what the service can do", s.capabilities, nil, false, 0},
			endpoint{"GET", prefix + "/state", "how the service is doing", s.state, nil, false, 0},
			endpoint{"GET", prefix + "/dependencies", "what the service needs, and whether it is there", s.dependencies, nil, false, 0},
			endpoint{"POST", prefix + "/message", "take a message from another droplet", s.message, nil, false, maxBody},
		)
	}
	return list
}

// routed serves the endpoints. What is none is answered in JSON, too.
func routed(list []endpoint) http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, e := range list {
		mux.Handle(e.method+" "+e.path, handler(e.checked))
		methods[e.path] = append(methods[e.path], e.method)
		if e.method == http.MethodGet {
			methods[e.path] = append(methods[e.path], http.MethodHead)
		}
	}
	for path, allowed := range methods {
		slices.Sort(allowed)
		mux.Handle(path, methodNotAllowed(strings.Join(allowed, ", ")))
	}
	mux.Handle("/", handler(notFound))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// ServeMux would redirect //proxies to /proxies, and many clients turn a redirected PUT into a GET. It answers
		// "OPTIONS *" by itself, and not in JSON.
		if r.URL.Path != path.Clean(r.URL.Path) || r.RequestURI == "*" {
			handler(notFound).ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
		noteEndpoint(r)
	})
}

// checked refuses what an endpoint does not take, before it looks at anything else.
func (e endpoint) checked(w http.ResponseWriter, r *http.Request) error {
	params := e.query
	if e.changes {
		params = append([]string{dryRun}, params...)
	}
	if err := checkQuery(r.URL.RawQuery, params); err != nil {
		return err
	}
	if e.changes && !flag(r, dryRun) {
		if err := mayChange(r); err != nil {
			return err
		}
	}
	if err := checkBody(r, e.limit > 0); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, max(e.limit, 1))
	return e.handler(w, r)
}

// prefixOf returns the path under which somebody has mounted the server (http.StripPrefix): what the request line had in
// front of the path that came here. Empty where it is served at the root.
func prefixOf(r *http.Request) string {
	asked, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	prefix, found := strings.CutSuffix(asked.EscapedPath(), r.URL.EscapedPath())
	if !found {
		return ""
	}
	return prefix
}

func methodNotAllowed(allow string) handler {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Allow", allow)
		return refuse(codes.MethodNotAllowed, details{"allow": allow}, "the method is not one of %s", allow)
	}
}

func notFound(http.ResponseWriter, *http.Request) error {
	return refuse(engine.NotFound, nil, "there is no such endpoint: GET /openapi.json lists those that are")
}
