package facade

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
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
func (s *Server) stream(w http.ResponseWriter, r *http.Request, do func(context.Context) (*engine.Result, error)) {
	lines := make(chan any, backlog)
	go func() {
		defer close(lines)
		result, err := do(withStream(r.Context(), func(ev engine.Event) {
			select {
			case lines <- ev:
			default:
			}
		}))
		lines <- finalOf(r, result, err)
	}()
	first := <-lines
	if last, ok := first.(outcome); ok && last.err != nil {
		writeError(w, r, last.err) // refused before the first step: then the status can still say so
		return
	}
	w.Header().Set("Content-Type", ndjson)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := lineWriter{w: w, control: http.NewResponseController(w)}
	out.write(first)
	for line := range lines {
		out.write(line)
	}
}

// An outcome is how a streamed apply has ended.
type outcome struct {
	finalLine
	err error
}

func finalOf(r *http.Request, result *engine.Result, err error) outcome {
	if err != nil {
		facts := factsOf(r, err)
		callOf(r).code, callOf(r).err = facts.Code, err
		return outcome{finalLine{Type: "error", Status: StatusOf(facts.Code), Error: &facts}, err}
	}
	answer := applied(result)
	return outcome{finalLine{Type: "result", Status: http.StatusOK, Result: &answer}, nil}
}

// A lineWriter writes until the client is gone, and then reads on for nobody.
type lineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	broken  bool
}

func (l *lineWriter) write(line any) {
	if l.broken {
		return
	}
	if o, ok := line.(outcome); ok {
		line = o.finalLine
	}
	_ = l.control.SetWriteDeadline(time.Now().Add(writePatience))
	if err := json.NewEncoder(l.w).Encode(line); err != nil {
		l.broken = true
		return
	}
	l.broken = l.control.Flush() != nil
}
