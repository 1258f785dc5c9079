package facade

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/fullpotential-ai/proxy-manager/facade/registry"
)

// Options say who may call and what is told to whom. The zero value is what the CLI's settings are by default. It serves
// everybody who reaches the socket, which is meant for loopback and for tests: see TokenFile.
type Options struct {
	// TokenFile holds one API token a line: "token", "label:token", or "ro:label:token" for one that may look and plan, and
	// change nothing. Empty: no token is asked for. The file is read again when it changes. While it is empty, can't be read,
	// has a line that is none, or could be written by others, nobody is admitted but to health, which says so.
	TokenFile string
	// AllowedHosts are names by which clients may call this server, beside loopback's, the host's own and the address they
	// have connected to: a TLS proxy's in front of it, or a container's. One without a port means every port; one that is
	// no name admits nobody. Over a unix socket any name without a dot will do. Anything else in Host may be a web page's DNS
	// rebinding, and is refused.
	AllowedHosts []string
	// RegistryURL is the Registry's base URL; empty where there is none.
	RegistryURL string
	// OrchestratorURL is where the service registers and sends heartbeats; empty for nowhere.
	OrchestratorURL string
	// AutoIssueSSL has a PUT obtain the certificate that the route lacks, rather than answer 202.
	AutoIssueSSL bool
	// Identity is how the service introduces itself.
	Identity Identity
	// Logger gets a line for every request, step and change; [NewLogger] makes one of the contract's form. Nothing is
	// logged without it.
	Logger *slog.Logger
	// Clock and NewID are time.Now and random ids unless set. They are called from the goroutines of requests and of
	// [Server.Run], several at the same time.
	Clock func() time.Time
	NewID func() string
}

// An Identity is who the service says it is, to the orchestrator and to other droplets.
type Identity struct {
	ServiceName string // "proxy-manager" by default
	DropletID   string // the service's name by default
	Environment string // "production" by default
}

func withDefaults(o Options) Options {
	id := &o.Identity
	id.ServiceName = cmp.Or(id.ServiceName, "proxy-manager")
	id.DropletID = cmp.Or(id.DropletID, id.ServiceName)
	id.Environment = cmp.Or(id.Environment, "production")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = newID
	}
	return o
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// A Server is the HTTP API of one engine. It is an [http.Handler] and may be mounted in a server of one's own.
type Server struct {
	eng     *engine.Engine
	opts    Options
	log     *slog.Logger
	started time.Time

	handler   http.Handler
	endpoints []endpoint

	tokens   *tokens
	registry *registry.Client
	keys     *publicKey
	probe    *probe
	remotes  *remotes
	traffic  *traffic
	metrics  *metrics
	list     list

	heavy    gate // requests that look at every route
	whole    gate // plans of whole states that are made
	states   gate // whole states that are read, wait or are applied
	outgoing outgoing

	// changing counts the changes that run. Drain closes draining, and ends interrupt to have them undone.
	mu        sync.Mutex
	changing  int
	draining  bool
	idle      chan struct{}
	interrupt context.CancelCauseFunc
	base      context.Context
}

// New returns the HTTP API of an engine.
func New(eng *engine.Engine, o Options) *Server {
	o = withDefaults(o)
	s := &Server{
		eng: eng, opts: o, log: o.Logger, started: o.Clock(), registry: registry.New(o.RegistryURL),
		traffic: newTraffic(o.Clock), metrics: newMetrics(), idle: make(chan struct{}),
		heavy: make(gate, maxHeavy), whole: make(gate, 1), states: make(gate, maxStates),
	}
	s.base, s.interrupt = context.WithCancelCause(context.Background())
	if o.TokenFile != "" {
		s.tokens = &tokens{path: o.TokenFile, log: o.Logger}
	}
	if o.RegistryURL != "" {
		s.keys = &publicKey{fetch: s.registry.PublicKey, now: o.Clock}
	}
	s.probe = newProbe(s.look, o.Clock)
	s.remotes = newRemotes(s)
	s.endpoints = s.routes()
	s.handler = s.observed(s.guarded(s.authorized(routed(s.endpoints))))
	return s
}

// look is what the probe sees: nothing is known where looking panics.
func (s *Server) look(ctx context.Context) (seen health.Sighting) {
	_ = s.survive(ctx, func() { seen = health.Look(ctx, s.eng, s.opts.Clock) })
	return seen
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Run keeps certificates valid and served (see [engine.Engine.Maintain]) and what is known of nginx fresh, and registers
// with the orchestrator if there is one, until ctx ends. A server answers without it, too.
func (s *Server) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() { s.keepRunning(ctx, s.probe.run) })
	loops.Go(func() { s.keepRunning(ctx, func(ctx context.Context) { s.eng.Maintain(ctx, s.renew) }) })
	if s.opts.OrchestratorURL != "" {
		loops.Go(func() { s.keepRunning(ctx, s.keepRegistered) })
	}
	loops.Wait()
}

// Drain refuses changes from now on and returns when those that run have ended. If ctx ends first, they are interrupted,
// which the engine answers by undoing them: that is waited for, too.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	if !s.draining {
		s.draining = true
		if s.changing == 0 {
			close(s.idle)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.idle:
		return
	case <-ctx.Done():
	}
	s.interrupt(errStopping)
	<-s.idle
}

var errStopping = &engine.Error{Code: engine.ShuttingDown, Message: "the server is shutting down"}

// enter lets a change begin, unless the server is about to stop. Whoever has entered must leave.
func (s *Server) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return &engine.Error{Code: engine.ShuttingDown, Message: "the server is shutting down and takes no more changes: try again when it is back"}
	}
	if s.changing >= maxChanging {
		return tooMany("changes wait")
	}
	s.changing++
	return nil
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changing--; s.draining && s.changing == 0 {
		close(s.idle)
	}
}
