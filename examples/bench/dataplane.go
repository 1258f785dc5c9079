package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// What somebody writes who knows nginx and wants one fast vhost: connections to the upstream kept open, and nothing else.
const (
	tunedHTTP = `upstream tuned {
    server 127.0.0.1:%[1]d;
    keepalive 32;
}
server {
    listen %[2]d;
    server_name tuned.example.com;
    location / {
        proxy_pass http://tuned;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
`
	tunedHTTPS = `server {
    listen %[1]d ssl http2;
    server_name tuned.example.com;
    ssl_certificate %[2]s;
    ssl_certificate_key %[3]s;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:fpai_tls:10m;
    ssl_session_timeout 1d;
    location / {
        proxy_pass http://tuned;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
`
	// The upstream is an nginx, too: anything slower would be what is measured.
	upstream = `server {
    listen 127.0.0.1:%d;
    access_log off;
    keepalive_requests 1000000;
    location / {
        default_type text/plain;
        return 200 "%s";
    }
}
`
)

// measureDataPlane measures requests through the generated vhost against one tuned by hand, in front of the same upstream.
func (b *bench) measureDataPlane(ctx context.Context) error {
	b.say("requests through the generated vhost…")
	back, port, err := b.newUpstream()
	if err != nil {
		return err
	}
	defer back.Close()
	h, err := b.newHost(ctx, 0)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.addVhosts(port); err != nil {
		return err
	}
	return errors.Join(
		b.compareVhosts(ctx, h, "HTTP", fmt.Sprintf("http://127.0.0.1:%d/", h.HTTPPort)),
		b.compareVhosts(ctx, h, "HTTPS", fmt.Sprintf("https://127.0.0.1:%d/", h.HTTPSPort)))
}

func (b *bench) newUpstream() (*enginetest.Lab, int, error) {
	lab, err := b.newLab()
	if err != nil {
		return nil, 0, err
	}
	port := lab.FreePort()
	if err := lab.Site("upstream.conf", fmt.Sprintf(upstream, port, strings.Repeat("x", 1024))); err != nil {
		lab.Close()
		return nil, 0, err
	}
	if err := lab.ReloadNginx(); err != nil {
		lab.Close()
		return nil, 0, err
	}
	return lab, port, nil
}

// addVhosts writes the vhosts, generated ones as an apply renders them.
func (h *host) addVhosts(port int) error {
	settings, err := h.settings()
	if err != nil {
		return err
	}
	fields := routeFields(0, port)
	fields.EnableSSL = nil
	route, err := resources.NewRoute(fields)
	if err != nil {
		return err
	}
	cert, key := h.Certificate(route.Domain(), "tuned.example.com")
	tls, err := route.Render(settings, &resources.CertificateFiles{Fullchain: cert, PrivateKey: key})
	if err != nil {
		return err
	}
	plainFields := routeFields(1, port)
	plain, err := resources.NewRoute(plainFields)
	if err != nil {
		return err
	}
	http, err := plain.Render(settings, nil)
	if err != nil {
		return err
	}
	maps, err := resources.RenderMaps(settings)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"maps.conf": string(maps), "tls.conf": string(tls), "http.conf": string(http),
		"tuned.conf": fmt.Sprintf(tunedHTTP, port, h.HTTPPort), "tuned-tls.conf": fmt.Sprintf(tunedHTTPS, h.HTTPSPort, cert, key),
	} {
		if err := h.Site(name, text); err != nil {
			return err
		}
	}
	return h.ReloadNginx()
}

// compareVhosts loads the vhosts in many short turns: requests per second wander by a tenth within a minute, which a few long
// turns would take for a difference. The generated one stands between two turns of the tuned one, whose mean is what it is
// compared with. The processor time that nginx needs for a request wanders least.
func (b *bench) compareVhosts(ctx context.Context, h *host, scheme, url string) error {
	const tuned = "tuned.example.com"
	generated := "app-00001.example.com"
	if scheme == "HTTPS" {
		generated = "app-00000.example.com"
	}
	var before, ours, after loads
	for range b.scale.turns {
		for _, turn := range []struct {
			name string
			to   *loads
		}{{tuned, &before}, {generated, &ours}, {tuned, &after}} {
			if err := turn.to.add(ctx, b.scale.load, h, url, turn.name); err != nil {
				return err
			}
		}
	}
	b.table.compareRates(scheme+" requests through a generated vhost", ours.rate, "tuned by hand", means(before.rate, after.rate), "≥ 0.98")
	b.table.compareRates("noise: "+scheme+", the tuned one against itself", after.rate, "the same", before.rate, "")
	b.table.compare(scheme+", nginx's processor time per request", ours.cpu, "tuned by hand", means(before.cpu, after.cpu), "")
	b.table.compare(scheme+", 99th percentile", ours.p99, "tuned by hand", means(before.p99, after.p99), "1 within noise")
	b.table.compare("noise: "+scheme+", its 99th percentile", after.p99, "the same", before.p99, "")
	return nil
}

// loads are what loading one vhost several times has shown.
type loads struct{ rate, p99, cpu samples }

func (l *loads) add(ctx context.Context, d time.Duration, h *host, url, name string) error {
	start, err := h.workersTime()
	if err != nil {
		return err
	}
	r, err := wrk(ctx, url, d, 64, "Host: "+name)
	if err != nil {
		return err
	}
	if r.broken+r.refused > 0 {
		return fmt.Errorf("%d of %d requests failed: %s", r.broken+r.refused, r.total, r.text)
	}
	end, err := h.workersTime()
	l.rate, l.p99, l.cpu = append(l.rate, r.rate), append(l.p99, r.p99), append(l.cpu, (end-start).Seconds()/float64(r.total))
	return err
}

// workersTime is how long nginx's workers have run on a processor.
func (h *host) workersTime() (sum time.Duration, err error) {
	for _, pid := range children(h.MasterPID()) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			return 0, err
		}
		var running time.Duration
		if _, err := fmt.Sscan(string(b), (*int64)(&running)); err != nil {
			return 0, fmt.Errorf("/proc/%d/schedstat: %w", pid, err)
		}
		sum += running
	}
	return sum, nil
}
