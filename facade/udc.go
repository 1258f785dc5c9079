package facade

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

// The endpoints of the Universal Droplet Contract, by which droplets get to know each other.

const udcVersion = "1.0"

type capabilitiesAnswer struct {
	ServiceName          string        `json:"service_name"`
	DropletID            string        `json:"droplet_id"`
	Version              string        `json:"version"`
	UDCVersion           string        `json:"udc_version"`
	Capabilities         []string      `json:"capabilities"`
	Features             []string      `json:"features"`
	SupportedOperations  []string      `json:"supported_operations"`
	IntegrationEndpoints []integration `json:"integration_endpoints"`
}

type integration struct {
	Path        string `json:"path"`
	Method      string `json:"method"`
	Description string `json:"description"`
}

func (s *Server) capabilities(w http.ResponseWriter, r *http.Request) error {
	body := capabilitiesAnswer{
		ServiceName: s.opts.Identity.ServiceName, DropletID: s.opts.Identity.DropletID, Version: engine.Version, UDCVersion: udcVersion,
		Capabilities:        []string{"reverse_proxy", "ssl_certificates", "plan_and_apply", "registry_sync"},
		Features:            []string{"dry_run", "undo", "crash_recovery", "drift_detection", "health_checks", "etags", "event_stream", "metrics"},
		SupportedOperations: []string{"put", "delete", "ssl", "plan", "apply", "sync"},
	}
	for _, e := range s.endpoints {
		body.IntegrationEndpoints = append(body.IntegrationEndpoints, integration{e.path, e.method, e.description})
	}
	return writeJSON(w, http.StatusOK, body)
}

type stateAnswer struct {
	Status         string       `json:"status"` // active, inactive or error
	Mode           string       `json:"mode"`   // the environment: production, staging, …
	UptimeSeconds  int64        `json:"uptime_seconds"`
	RequestsTotal  int64        `json:"requests_total"`
	ErrorsLastHour int          `json:"errors_last_hour"` // answers of 500 and above
	LastRestart    time.Time    `json:"last_restart"`
	Metrics        stateMetrics `json:"metrics"`
}

type stateMetrics struct {
	RequestsPerMinute     float64 `json:"requests_per_minute"`      // in the last minute
	AverageResponseTimeMS float64 `json:"average_response_time_ms"` // in the last hour, as is
	ErrorRatePercent      float64 `json:"error_rate_percent"`
}

func (s *Server) state(w http.ResponseWriter, r *http.Request) error {
	t := s.traffic.recent()
	return writeJSON(w, http.StatusOK, stateAnswer{
		Status: s.activity(), Mode: s.opts.Identity.Environment, UptimeSeconds: s.uptime(),
		RequestsTotal: t.Total, ErrorsLastHour: t.ErrorsLastHour, LastRestart: s.started.UTC(),
		Metrics: stateMetrics{t.PerMinute, milliseconds(t.Average), t.ErrorRate},
	})
}

func (s *Server) activity() string {
	s.mu.Lock()
	draining := s.draining
	s.mu.Unlock()
	switch {
	case draining:
		return "inactive"
	case s.probe.seen().Status() == health.Unhealthy:
		return "error"
	default:
		return "active"
	}
}

// A messageBody is as much of another droplet's message as means something here: reply_to, for one, is never called, since
// nobody's words choose where this server connects.
type messageBody struct {
	MessageType string `json:"message_type"`
	FromService string `json:"from_service"`
	Source      string `json:"source"`
	TraceID     string `json:"trace_id"`
}

// decodeMessage reads a message, and passes over the fields that it does not know: the envelopes of other droplets grow.
func decodeMessage(r *http.Request) (body messageBody, err error) {
	var envelope map[string]json.RawMessage
	if err := decode(r, &envelope); err != nil {
		return body, err
	}
	for field, into := range map[string]*string{
		"message_type": &body.MessageType, "from_service": &body.FromService, "source": &body.Source, "trace_id": &body.TraceID,
	} {
		if raw, ok := envelope[field]; ok && json.Unmarshal(raw, into) != nil {
			return body, refuse(engine.InvalidInput, details{"field": field, "constraint": "must be a string"}, "%s must be a string", field)
		}
	}
	if body.MessageType == "" {
		return body, refuse(engine.InvalidInput, details{"field": "message_type", "constraint": "must be given"}, "message_type is missing")
	}
	return body, nil
}

type messageAnswer struct {
	Received  bool   `json:"received"`
	MessageID string `json:"message_id"`
	TraceID   string `json:"trace_id"`
	Status    string `json:"status"` // "processed", or "ignored" for a type that means nothing here
	Result    any    `json:"result"`
}

func (s *Server) message(w http.ResponseWriter, r *http.Request) error {
	body, err := decodeMessage(r)
	if err != nil {
		return err
	}
	answer := messageAnswer{
		Received: true, MessageID: s.opts.NewID(), TraceID: cmp.Or(foreign.Clip(body.TraceID, 128), callOf(r).id), Status: "processed",
	}
	switch body.MessageType {
	case "ping":
		answer.Result = map[string]any{"pong": true}
	case "health", "health_check", "status":
		answer.Result = map[string]any{"status": s.status(s.probe.seen()), "version": engine.Version}
	default:
		answer.Status = "ignored"
	}
	s.log.InfoContext(r.Context(), "message", "result", answer.Status,
		"message_type", foreign.Clip(body.MessageType, 64), "from", foreign.Clip(body.FromService+body.Source, 64))
	return writeJSON(w, http.StatusOK, answer)
}
