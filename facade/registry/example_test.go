package registry_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/registry"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `[{"name": "shop", "host": "localhost", "port": 8001, "domain": "shop.example.com", "status": "inactive"}]`)
	}))
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	eng, err := engine.Open(engine.Options{
		Nginx: engine.NginxOptions{SitesAvailable: dir, SitesEnabled: dir}, State: engine.StateOptions{Dir: dir},
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	found, err := registry.Prepare(context.Background(), eng, registry.New(server.URL))
	if err != nil {
		fmt.Println(err)
		return
	}
	// eng.Do(ctx, found.Request) would route what is left: nothing.
	for _, skipped := range found.Result().Skipped {
		fmt.Println(skipped.Name+":", skipped.Reason)
	}
	// Output: shop: not active: its status is "inactive"
}
