package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
		b.compareVhosts(ctx, "HTTP", fmt.Sprintf("http://127.0.0.1:%d/", h.HTTPPort)),
		b.compareVhosts(ctx, "HTTPS", fmt.Sprintf("https://127.0.0.1:%d/", h.HTTPSPort)))
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

func (b *bench) compareVhosts(ctx context.Context, scheme, url string) error {
	generated := "app-00001.example.com"
	if scheme == "HTTPS" {
		generated = "app-00000.example.com"
	}
	var rate, p99 [2]samples
	for round := range b.scale.rounds {
		for k := range 2 {
			i := (k + round) % 2
			l, err := wrk(ctx, url, b.scale.load, 64, "Host: "+[]string{"tuned.example.com", generated}[i])
			if err != nil {
				return err
			}
			if l.broken+l.refused > 0 {
				return fmt.Errorf("%d of %d requests failed: %s", l.broken+l.refused, l.total, l.text)
			}
			rate[i], p99[i] = append(rate[i], l.rate), append(p99[i], l.p99)
		}
	}
	b.table.compareRates(scheme+" requests through a generated vhost", rate[1], "tuned by hand", rate[0], "≥ 0.98")
	b.table.compare(scheme+", 99th percentile", p99[1], "tuned by hand", p99[0], "1 within noise")
	return nil
}
