package facade

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// NewLogger returns a logger whose lines have the contract's fields: timestamp, level, correlation_id, droplet_name,
// domain, action (the message), result, error_code and duration_ms, and behind them what else a line has to say. The
// format is "json" or "text".
func NewLogger(w io.Writer, level slog.Level, format string) *slog.Logger {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: contractNames}
	var inner slog.Handler = slog.NewJSONHandler(w, o)
	if format == "text" {
		inner = slog.NewTextHandler(w, o)
	}
	return slog.New(&logHandler{inner})
}

func contractNames(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		return slog.String("timestamp", a.Value.Time().UTC().Format(time.RFC3339Nano))
	case slog.MessageKey:
		a.Key = "action"
	case slog.LevelKey:
		return slog.String(slog.LevelKey, strings.ToLower(a.Value.String()))
	}
	return a
}

// A logHandler puts the contract's fields into every line, in one order, and the correlation id of the context's call.
type logHandler struct{ slog.Handler }

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	c := callFrom(ctx)
	fields := []slog.Attr{
		slog.String("correlation_id", c.id), slog.String("droplet_name", c.droplet), slog.String("domain", c.domain),
		slog.String("result", ""), slog.String("error_code", ""), slog.Float64("duration_ms", 0),
	}
	var more []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		for i := range fields {
			if fields[i].Key == a.Key {
				fields[i] = a
				return true
			}
		}
		more = append(more, a)
		return true
	})
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	line.AddAttrs(fields...)
	line.AddAttrs(more...)
	return h.Handler.Handle(ctx, line)
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.Handler.WithAttrs(attrs)}
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return &logHandler{h.Handler.WithGroup(name)}
}

// logStep tells of a step that has ended, or of an undo.
func (s *Server) logStep(ctx context.Context, ev engine.Event) {
	if ev.Type == engine.StepStarted {
		return
	}
	level, action := slog.LevelInfo, string(ev.Type)
	attrs := []any{"result", string(ev.Type), "duration_ms", milliseconds(ev.Duration), "apply_id", ev.ApplyID}
	if ev.Step != nil {
		action = ev.Step.Kind
		attrs = append(attrs, "step", ev.Step.ID, "address", ev.Step.Address, "path", ev.Step.Path)
	}
	if ev.Error != "" {
		level = slog.LevelWarn
		attrs = append(attrs, "error", foreign.Clip(ev.Error, maxMessage))
	}
	s.log.Log(ctx, level, action, attrs...)
}

// audit writes one line for a change: who, what, which plan, and what became of it, or why nothing did.
func (s *Server) audit(ctx context.Context, operation string, result *engine.Result, err error, took time.Duration) {
	c := callFrom(ctx)
	attrs := []any{"audit", true, "actor", foreign.Clip(cmp.Or(c.actor, s.eng.Options().Actor), 128), "duration_ms", milliseconds(took)}
	if err != nil {
		c.audited = true
		attrs = append(attrs, "result", "failed", "error_code", engine.CodeOf(err), "outcome", engine.OutcomeOf(err).String(),
			"error", foreign.Clip(err.Error(), maxMessage))
		s.log.WarnContext(ctx, operation, attrs...)
		return
	}
	done := "applied"
	if result.ID == "" {
		done = "unchanged"
	}
	var changed []string
	for _, c := range result.Plan.Changes {
		if c.Action != plan.Unchanged && len(changed) < 100 {
			changed = append(changed, string(c.Action)+" "+c.Address)
		}
	}
	attrs = append(attrs, "result", done, "plan_id", result.Plan.ID, "apply_id", result.ID, "changes", changed)
	s.log.InfoContext(ctx, operation, attrs...)
}
