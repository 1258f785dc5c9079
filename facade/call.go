package facade

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// A call is what is known of one request, for whoever tells of it when it is over.
type call struct {
	id       string // the correlation id
	endpoint string // the pattern that was matched; empty for none
	droplet  string
	domain   string
	actor    string
	readOnly bool // the actor may only look, and plan
	code     engine.Code
	err      error
	audited  bool // its error was told already, in the audit log
	status   int
}

type callKey struct{}

// callOf returns the request's call; one that never came through [Server.observed] has an empty one.
func callOf(r *http.Request) *call { return callFrom(r.Context()) }

func callFrom(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{}
}

// wellFormedID is what is taken over into logs and answers from a stranger.
var wellFormedID = regexp.MustCompile(`^[A-Za-z0-9._:/+=-]{1,128}$`)

// observed gives each request its correlation id and tells of it when it is over.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.opts.Clock()
		c := &call{id: r.Header.Get("X-Correlation-ID"), actor: engine.ActorOf(r.Context())}
		if !wellFormedID.MatchString(c.id) {
			c.id = s.opts.NewID()
		}
		w.Header().Set("X-Correlation-ID", c.id)
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		answer := &answer{ResponseWriter: w, call: c, gzip: acceptsGzip(r), outgoing: &s.outgoing}
		defer func() {
			if p := recover(); p != nil {
				giveUp(answer, r, s.panicked(r.Context(), p))
			}
			s.tell(r, c, s.opts.Clock().Sub(start))
		}()
		next.ServeHTTP(answer, r)
	})
}

// giveUp answers for a handler that has panicked, unless it has begun to answer by itself.
func giveUp(w *answer, r *http.Request, err error) {
	if w.call.status != 0 {
		w.call.code, w.call.err = engine.Internal, err
		return
	}
	writeError(w, r, err)
}

func (s *Server) tell(r *http.Request, c *call, took time.Duration) {
	s.traffic.count(c.status, took)
	s.metrics.request(r.Method, c.endpoint, c.status, took)
	level := slog.LevelInfo
	if c.status >= 500 {
		level = slog.LevelError
	}
	attrs := []any{
		"droplet_name", c.droplet, "domain", c.domain, "result", strings.ToLower(http.StatusText(c.status)),
		"error_code", c.code, "duration_ms", milliseconds(took),
	}
	if c.err != nil && !c.audited {
		attrs = append(attrs, "error", foreign.Clip(c.err.Error(), maxMessage))
	}
	s.log.Log(r.Context(), level, foreign.Clip(r.Method, 16)+" "+endpointPath(c.endpoint), attrs...)
}

// endpointPath returns the path of a pattern. What was asked for is not logged when nothing is there: it may be anything.
func endpointPath(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	return "unknown"
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// noteEndpoint remembers what a request was matched with. ServeMux has noted it in this very request.
func noteEndpoint(r *http.Request) {
	c := callOf(r)
	if strings.Contains(r.Pattern, " ") {
		c.endpoint = r.Pattern
	}
	if c.droplet == "" {
		c.droplet = foreign.Clip(r.PathValue("droplet_name"), 64)
	}
}

// An answer remembers the status that was sent, and knows how [send] is to send the rest.
type answer struct {
	http.ResponseWriter
	call     *call
	gzip     bool
	outgoing *outgoing
}

func (a *answer) WriteHeader(status int) {
	if a.call.status == 0 {
		a.call.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.call.status == 0 {
		a.call.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] find the writer's deadlines.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
