package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// caddyVersion is what people run today. It is built in a temporary directory, and no dependency of this module.
const caddyVersion = "v2.11.9"

// measureCaddy adds routes to a Caddy by its admin API, one alone and many at the same time, and to Proxy Manager.
func (b *bench) measureCaddy(ctx context.Context) error {
	binary, remove, err := installCaddy(ctx)
	if err != nil {
		b.table.amount("Caddy", "not measured: "+err.Error(), "")
		return nil
	}
	defer remove()
	n := b.scale.many
	return b.onHost(ctx, n, func(ctx context.Context, h *host, s *service) error {
		c, err := startCaddy(ctx, binary, h.Lab, n)
		if err != nil {
			return err
		}
		defer c.stop()
		return b.compareWithCaddy(h, s, c)
	})
}

func (b *bench) compareWithCaddy(h *host, s *service, c *caddy) error {
	n, next := len(h.routes), len(h.routes)
	one := func(add func(i int) error) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			h.rest()
			next++
			return timed(func() error { return add(next) })
		}
	}
	ours := func(i int) error { return s.put(routeFields(i, 8000)) }
	all, err := interleave(b.scale.rounds, one(ours), one(c.add))
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("one route more, %d there", n), all[0], "Caddy "+caddyVersion, all[1], "")
	b.say("%d routes at the same time, here and to Caddy…", b.scale.burst)
	burst := func(add func(i int) error) func() (time.Duration, error) {
		return func() (time.Duration, error) {
			h.rest()
			first := next + 1
			next += b.scale.burst
			return timed(func() error { return together(b.scale.burst, func(i int) error { return add(first + i) }) })
		}
	}
	// Each round leaves its routes behind, so more than a few would measure another host.
	all, err = interleave(min(3, b.scale.rounds), burst(ours), burst(c.add))
	if err != nil {
		return err
	}
	b.table.compare(fmt.Sprintf("%d parallel adds, %d there", b.scale.burst, n), all[0], "Caddy "+caddyVersion, all[1], "≤ 0.10")
	if cut := c.cut.Load(); cut > 0 {
		b.table.amount("requests that Caddy cut off, sent again", fmt.Sprint(cut), "")
	}
	return nil
}

// installCaddy builds Caddy in a temporary directory.
func installCaddy(ctx context.Context) (binary string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "bench-caddy-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	cmd := exec.CommandContext(ctx, "go", "install", "github.com/caddyserver/caddy/v2/cmd/caddy@"+caddyVersion)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOBIN="+dir, "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		remove()
		return "", nil, fmt.Errorf("go install: %w: %.200s", err, bytes.TrimSpace(out))
	}
	return filepath.Join(dir, "caddy"), remove, nil
}

// A caddy is a running Caddy with routes.
type caddy struct {
	cmd    *exec.Cmd
	admin  string
	client *http.Client
	cut    atomic.Int64 // requests that were sent again
}

// startCaddy starts Caddy with n routes, and returns when it answers.
func startCaddy(ctx context.Context, binary string, ports *enginetest.Lab, n int) (*caddy, error) {
	admin := fmt.Sprintf("127.0.0.1:%d", ports.FreePort())
	cmd := exec.CommandContext(ctx, binary, "run", "--config", "-")
	routes := make([]any, n)
	for i := range routes {
		routes[i] = caddyRoute(i)
	}
	config, err := json.Marshal(map[string]any{
		"admin": map[string]any{"listen": admin},
		"apps": map[string]any{"http": map[string]any{"servers": map[string]any{"bench": map[string]any{
			"listen": []string{fmt.Sprintf("127.0.0.1:%d", ports.FreePort())}, "routes": routes,
			"automatic_https": map[string]any{"disable": true},
		}}}},
	})
	if err != nil {
		return nil, err
	}
	cmd.Stdin = bytes.NewReader(config)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Dir(binary), "XDG_CONFIG_HOME="+filepath.Dir(binary))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// Caddy starts its admin API anew with every change, and closes the connections that are idle.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Minute}
	c := &caddy{cmd: cmd, admin: "http://" + admin, client: client}
	for range 400 {
		resp, err := c.client.Get(c.admin + "/config/admin")
		if err == nil {
			return c, resp.Body.Close()
		}
		time.Sleep(25 * time.Millisecond)
	}
	c.stop()
	return nil, errors.New("caddy does not answer")
}

func (c *caddy) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.cmd.Wait()
}

// add appends a route. Caddy answers once the new configuration is the one that serves. The server of its admin API that
// goes with the configuration before cuts off what still waits after ten seconds: that is sent again.
func (c *caddy) add(i int) error {
	body, err := json.Marshal(caddyRoute(i))
	if err != nil {
		return err
	}
	for range 100 {
		if err = c.post(body); !errors.Is(err, io.EOF) {
			return err
		}
		c.cut.Add(1)
	}
	return err
}

func (c *caddy) post(body []byte) error {
	resp, err := c.client.Post(c.admin+"/config/apps/http/servers/bench/routes", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("caddy: %s: %.200s", resp.Status, answer)
	}
	return err
}

func caddyRoute(i int) map[string]any {
	f := routeFields(i, 8000)
	return map[string]any{
		"match": []any{map[string]any{"host": []string{f.Domain}}},
		"handle": []any{map[string]any{
			"handler": "reverse_proxy", "upstreams": []any{map[string]any{"dial": fmt.Sprintf("%s:%d", f.UpstreamHost, f.UpstreamPort)}},
		}},
	}
}
