package facade

import (
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A RouteView is a route as the API and the CLI's list show it: its fields, and what became of them on the host.
type RouteView struct {
	resources.RouteFields
	// Upstream is scheme, host and port in one: "http://localhost:8001".
	Upstream string `json:"upstream"`
	// SSLEnabled says whether the route is served over HTTPS now; the field enable_ssl says whether it is to be.
	SSLEnabled bool `json:"ssl_enabled"`
	// Status is "active", "pending_ssl" (served over HTTP until it has its certificate) or "disabled".
	Status string `json:"status"`
}

// View returns a route as it is shown in a list.
func View(st engine.RouteStatus) RouteView {
	v := RouteView{RouteFields: st.Route.Fields(), SSLEnabled: st.HTTPS, Status: st.Status}
	v.DropletName = st.Name
	if !st.Route.IsZero() {
		v.Upstream = st.Route.UpstreamURL()
	}
	return v
}

// A RouteDetail is all that is known of one route.
type RouteDetail struct {
	RouteView
	// LastHealthStatus is "healthy", "unhealthy", or "unknown" while the upstream has not been asked.
	LastHealthStatus    string                    `json:"last_health_status"`
	LastHealthReason    string                    `json:"last_health_reason,omitempty"`
	LastHealthCheckedAt *time.Time                `json:"last_health_checked_at"`
	Certificate         *engine.CertificateStatus `json:"certificate"`
	// Drifted says that the route's file or link was changed behind the program's back.
	Drifted bool `json:"drifted"`
}

func etag(st engine.RouteStatus) string { return `"` + st.Fingerprint + `"` }
