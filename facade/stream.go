package facade

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/codes"
)

// ndjson is a stream of JSON texts, one a line.
const ndjson = "application/x-ndjson"

// A finalLine closes a stream: what would have been the answer, and its status.
type finalLine struct {
	Type   string       `json:"type"` // "result" or "error"
	Status int          `json:"status"`
	Result *applyAnswer `json:"result,omitempty"`
	Error  *errorFacts  `json:"error,omitempty"`
}

// backlog is how many steps a client may lag behind before some are left out of its stream.
const backlog = 4096

// stream does an apply and tells its steps as they happen. The client may be slow or gone: nginx does not wait for it.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, do func(context.Context) (*engine.Result, error)) error {
	lines := make(chan any, backlog)
	go func() {
		defer close(lines)
		ctx := withStream(r.Context(), func(ev engine.Event) {
			select {
			case lines <- ev:
			default:
			}
		})
		result, err := s.survived(ctx, do)
		lines <- outcome{result, err}
	}()
	first := <-lines
	if last, ok := first.(outcome); ok && last.err != nil {
		return last.err // refused before the first step: then the status can still say so
	}
	w.Header().Set("Content-Type", ndjson)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := lineWriter{w: w, control: http.NewResponseController(w)}
	out.write(r, first)
	for line := range lines {
		out.write(r, line)
	}
	return nil
}

// An outcome is how a streamed apply has ended.
type outcome struct {
	result *engine.Result
	err    error
}

// line is the last of the stream.
func (o outcome) line(r *http.Request) finalLine {
	if o.err != nil {
		facts := factsOf(r, o.err)
		callOf(r).code, callOf(r).err = facts.Code, o.err
		return finalLine{Type: "error", Status: codes.Status(facts.Code), Error: &facts}
	}
	answer := applied(o.result)
	return finalLine{Type: "result", Status: http.StatusOK, Result: &answer}
}

// A lineWriter writes until the client is gone, and then reads on for nobody.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	broken  bool
}

func (l *lineWriter) write(r *http.Request, line any) {
	if o, ok := line.(outcome); ok {
		line = o.line(r)
	}
	if l.broken {
		return
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(writePatience))
	if err := json.NewEncoder(l.w).Encode(line); err != nil {
		l.broken = true
		return
	}
	l.broken = l.control.Flush() != nil
}
