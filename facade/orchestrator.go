package facade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
)

const (
	heartbeatInterval = 30 * time.Second
	heartbeatTimeout  = 5 * time.Second
	// The longest pause between attempts to register with an orchestrator that does not answer.
	maxRegisterPause = 5 * time.Minute
)

// keepRegistered registers with the orchestrator and then tells it now and then that the service lives. Nothing waits
// for it, and whatever fails is tried again later.
func (s *Server) keepRegistered(ctx context.Context) {
	client := foreign.Client(heartbeatTimeout)
	for pause := time.Second; ; pause = min(2*pause, maxRegisterPause) {
		err := s.post(ctx, client, "/register", map[string]any{
			"service_name": s.opts.Identity.ServiceName, "droplet_id": s.opts.Identity.DropletID,
			"environment": s.opts.Identity.Environment, "version": engine.Version, "udc_version": udcVersion,
		})
		if err == nil {
			s.beat(ctx, client)
		} else {
			s.log.WarnContext(ctx, "register", "result", "failed", "error", err)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// beat sends heartbeats until one fails: then the orchestrator may have forgotten the service.
func (s *Server) beat(ctx context.Context, client *http.Client) {
	s.log.InfoContext(ctx, "register", "result", "registered")
	for sleep(ctx, heartbeatInterval) {
		err := s.post(ctx, client, "/heartbeat", map[string]any{
			"service_name": s.opts.Identity.ServiceName, "droplet_id": s.opts.Identity.DropletID,
			"status": s.status(s.probe.seen()), "timestamp": s.opts.Clock().UTC(), "uptime_seconds": s.uptime(),
		})
		if err != nil {
			s.log.WarnContext(ctx, "heartbeat", "result", "failed", "error", err)
			return
		}
	}
}

func (s *Server) post(ctx context.Context, client *http.Client, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.OrchestratorURL+path, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("ask the orchestrator: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the orchestrator: %s", foreign.Reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the orchestrator answered %s with %d", path, resp.StatusCode)
	}
	return nil
}

// sleep waits, and reports whether ctx still goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
