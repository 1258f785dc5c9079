package view_test

import (
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/view"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

func Example() {
	route, err := resources.NewRoute(resources.RouteFields{DropletName: "shop", Domain: "shop.example.com", UpstreamPort: 8001})
	if err != nil {
		fmt.Println(err)
		return
	}
	v := view.RouteOf(engine.RouteStatus{Name: "shop", Route: route, Status: engine.PendingSSL})
	fmt.Println(v.DropletName, v.Upstream, v.Status)
	// Output: shop http://localhost:8001 pending_ssl
}
