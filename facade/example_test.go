package facade_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
)

// The API may be one part of a server of one's own.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	eng, err := engine.Open(engine.Options{
		Nginx: engine.NginxOptions{SitesAvailable: dir, SitesEnabled: dir}, State: engine.StateOptions{Dir: dir},
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/routing/", http.StripPrefix("/routing", facade.New(eng, facade.Options{})))
	server := httptest.NewServer(mux)
	defer server.Close()

	res, err := http.Get(server.URL + "/routing/proxies")
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	fmt.Println(res.Status, string(body))
	// Output: 200 OK []
}
