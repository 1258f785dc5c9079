package engine

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// The states of a route, as people and programs are told them.
const (
	Active     = "active"      // served as it should be
	PendingSSL = "pending_ssl" // served over HTTP only, until it has its certificate
	Disabled   = "disabled"    // its file is there, and not enabled
	Unserved   = "not_served"  // nginx does not run, or has not loaded it as it is
)

// A RouteStatus is a route as it stands on disk.
type RouteStatus struct {
	Name string
	// Route is what its file says it was made from; the zero value if the file's header is damaged.
	Route  resources.Route
	Status string
	// HTTPS says whether it is served over HTTPS, by Certificate.
	HTTPS       bool
	Certificate *resources.CertificateFiles
	// Drifted: the file, or the link to it, was changed behind the program's back.
	Drifted bool
	// Fingerprint is the SHA-256 of the file as it is: it changes with every edit, whoever makes it.
	Fingerprint string
	File        string

	changedAt time.Time // see [site]
}

// Routes returns every managed route, by name. It reads files and looks at nginx's processes: no lock is taken, so it
// answers while an apply runs, and shows each route as it was before or as it is after.
func (e *Engine) Routes(ctx context.Context) ([]RouteStatus, error) {
	list, err := e.listed.routes(e)
	if err != nil {
		return nil, err
	}
	e.compareLoaded(ctx, list)
	return list, nil
}

// Route returns one managed route. Without it, the error has the code ProxyNotFound.
func (e *Engine) Route(ctx context.Context, name string) (RouteStatus, error) {
	if !isName(name) {
		return RouteStatus{}, notFound(name)
	}
	t := e.newSite(routeAddress(name))
	if err := e.readSite(e.observer(), t); err != nil {
		return RouteStatus{}, err
	}
	if !t.ours {
		return RouteStatus{}, notFound(name)
	}
	list := []RouteStatus{t.status()}
	e.compareLoaded(ctx, list)
	return list[0], nil
}

// compareLoaded says of the routes that nginx can't have loaded that they are not served. Of one that was edited by hand nginx
// goes on with what it has loaded before.
func (e *Engine) compareLoaded(ctx context.Context, list []RouteStatus) {
	if len(list) == 0 {
		return
	}
	r, known := e.lookRunning(ctx)
	if !known {
		return
	}
	for i := range list {
		if s := &list[i]; (s.Status == Active || s.Status == PendingSSL) && (r.stopped || !s.Drifted && !r.hasLoaded(s.changedAt)) {
			s.Status = Unserved
		}
	}
}

// isName reports whether there can be a route of that name, which has become a part of a path.
func isName(name string) bool {
	_, err := resources.ParseName(name)
	return err == nil
}

func (t *site) status() RouteStatus {
	m, r := t.managed, t.route()
	s := RouteStatus{
		Name: nameOf(t.address), Route: r, Status: Active, HTTPS: m.Certificate != nil, Certificate: m.Certificate,
		Drifted: m.Drifted || t.damaged != nil || !t.file.Exists, Fingerprint: m.Fingerprint, File: t.path, changedAt: t.changedAt,
	}
	switch {
	case r.IsZero():
		s.Drifted = true
	case !r.Enabled():
		s.Status, s.Drifted = Disabled, s.Drifted || t.enabled
	case !t.enabled:
		s.Status, s.Drifted = Disabled, true
	case r.EnableSSL() && m.Certificate == nil:
		s.Status = PendingSSL
	}
	return s
}

// An NginxStatus is what can be said of nginx without changing anything.
type NginxStatus struct {
	Present bool
	Version string
	Running bool
	PID     int
	// Draining counts old workers that only finish what they have; open WebSockets keep them alive.
	Draining int
	// Accepting counts the workers that accept connections.
	Accepting int
	// LastReload is when nginx last put new workers in charge, whoever asked for it; zero if it does not run.
	LastReload time.Time
}

// Nginx looks at nginx: its version (which runs the binary once, and again only when it changes) and its processes.
func (e *Engine) Nginx(ctx context.Context) NginxStatus {
	var st NginxStatus
	b, err := e.build(ctx)
	if err != nil {
		return st
	}
	st.Present, st.Version = true, b.Version.String()
	paths, _ := e.paths(e.observer(), b) // without its configuration nginx has the pid file it was built with
	if st.PID, err = e.nginx.Master(paths.PIDFile); err != nil {
		return st
	}
	st.Running = true
	if w, err := nginx.WorkersOf(st.PID); err == nil {
		st.Draining, st.Accepting = len(w.Draining), len(w.Accepting)
		st.LastReload = w.Started()
	}
	return st
}

// TestConfig has nginx test its configuration as it is (nginx -t). A refusal has the code NginxBroken and names file and
// line.
func (e *Engine) TestConfig(ctx context.Context) error {
	if _, err := e.build(ctx); err != nil {
		return err
	}
	return e.test(ctx, NginxBroken, "nginx refuses its configuration")
}
