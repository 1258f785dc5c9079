// Package view is what is shown of a route, alike over HTTP and on the command line.
package view

import (
	"context"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Route is a route in a list: its fields, and what became of them on the host.
type Route struct {
	resources.RouteFields
	// Upstream is scheme, host and port in one: "http://localhost:8001".
	Upstream string `json:"upstream"`
	// SSLEnabled says whether the route is served over HTTPS now; the field enable_ssl says whether it is to be.
	SSLEnabled bool `json:"ssl_enabled"`
	// Status is "active", "pending_ssl" (served over HTTP until it has its certificate) or "disabled".
	Status string `json:"status"`
}

// RouteOf returns a route as it is shown in a list.
func RouteOf(st engine.RouteStatus) Route {
	v := Route{RouteFields: st.Route.Fields(), Upstream: st.Route.Upstreams().String(), SSLEnabled: st.HTTPS, Status: st.Status}
	v.DropletName = st.Name
	return v
}

// A Detail is all that is known of one route.
type Detail struct {
	Route
	// LastHealthStatus is "healthy", "unhealthy", or "unknown" while the upstream has not been asked.
	LastHealthStatus    string                    `json:"last_health_status"`
	LastHealthReason    string                    `json:"last_health_reason,omitempty"`
	LastHealthCheckedAt *time.Time                `json:"last_health_checked_at"`
	Certificate         *engine.CertificateStatus `json:"certificate"`
	// Drifted says that the route's file or link was changed behind the program's back.
	Drifted bool `json:"drifted"`
}

// DetailOf gathers what is known of a route without asking its upstream. It makes a TLS handshake with nginx where the
// route is served over HTTPS.
func DetailOf(ctx context.Context, eng *engine.Engine, st engine.RouteStatus) Detail {
	d := Detail{Route: RouteOf(st), LastHealthStatus: "unknown", Drifted: st.Drifted}
	if h, ok := eng.LastHealth(st.Name); ok {
		d.LastHealthStatus, d.LastHealthReason, d.LastHealthCheckedAt = "healthy", h.Reason, &h.CheckedAt
		if !h.Healthy {
			d.LastHealthStatus = "unhealthy"
		}
	}
	if st.Route.EnableSSL() {
		if c, err := eng.Certificate(ctx, st.Name); err == nil {
			d.Certificate = &c
		}
	}
	return d
}
