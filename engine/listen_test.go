package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// E: hosts whose sites listen on one address have routes beside them.
func TestRoutesListenOnTheAddressesThatAreSet(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	ctx := context.Background()
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "hand.conf"),
		fmt.Appendf(nil, "server { listen 127.0.0.7:%d; server_name hand.example.test; return 200 hand; }\n", lab.HTTPPort), 0o644))
	e := open(t, lab, func(o *engine.Options) { o.Nginx.Listen = []string{"127.0.0.7"} })
	_, err := e.Do(ctx, engine.Put(route(t, "alpha", lab.Upstream("alpha").Port())))
	is.NoErr(err)
	is.Equal(ask(t, "127.0.0.7", lab.HTTPPort, "alpha.example.test"), "200")
	is.Equal(ask(t, "127.0.0.7", lab.HTTPPort, "hand.example.test"), "200")
	is.Equal(ask(t, "127.0.0.1", lab.HTTPPort, "alpha.example.test"), "refused")
	_, err = engine.Open(engine.Options{Nginx: engine.NginxOptions{Listen: []string{"eth0"}}})
	is.True(errors.Is(err, code(engine.InvalidInput)))
}

// E.
func TestTheSameNameAtAnotherPortIsNoConflict(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(os.WriteFile(filepath.Join(lab.ConfD, "hand.conf"),
		fmt.Appendf(nil, "server { listen %d; server_name alpha.example.test; return 200 hand; }\n", lab.FreePort()), 0o644))
	_, err := open(t, lab).Do(context.Background(), engine.Put(route(t, "alpha", lab.Upstream("alpha").Port())))
	is.NoErr(err)
}

// ask returns the status that an address answers for a name, or "refused".
func ask(t *testing.T, address string, port int, name string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+address+":"+strconv.Itoa(port)+"/name", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = name
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return "refused"
	}
	defer resp.Body.Close()
	return strconv.Itoa(resp.StatusCode)
}
