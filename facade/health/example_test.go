package health_test

import (
	"fmt"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/health"
)

func Example() {
	// Routes are served without certbot; only certificates suffer.
	seen := health.Sighting{At: time.Now(), Nginx: engine.NginxStatus{Present: true, Running: true, Version: "1.26.3"}}
	report := seen.Report()
	fmt.Println(report.Status, report.Nginx.ConfigTestOK, report.SSL.CertbotPresent)
	// Output: degraded true false
}
