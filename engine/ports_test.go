package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// onPorts starts the program with other ports.
func (h *memoryHost) onPorts(t testing.TB, http, https int) *Engine {
	t.Helper()
	e := h.open(t)
	e.opts.Nginx.HTTPPort, e.opts.Nginx.HTTPSPort = http, https
	return e
}

func TestAPlanThatMovesFilesToOtherPortsSaysSoBeforeAllElse(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	a, b := memoryRoute(t, "a"), memoryRoute(t, "b", withSSL)
	_, err := h.onPorts(t, 80, 443).Do(ctx, Put(a, b))
	is.NoErr(err)

	p, err := h.onPorts(t, 80, 443).Plan(ctx, Put(a, b))
	is.NoErr(err)
	is.Equal(moving(p.Warnings), nil) // as they are

	p, err = h.onPorts(t, 8080, 8443).Plan(ctx, Put(a, b))
	is.NoErr(err)
	is.True(len(p.Warnings) > 1)                                // b has no certificate, and that is a warning, too
	is.Equal(moving(p.Warnings), p.Warnings[:1])                // the first
	is.True(strings.Contains(p.Warnings[0], "3 managed files")) // two routes, and the default server
	is.True(strings.Contains(p.Warnings[0], "from port 80 to 8080 (NGINX_HTTP_PORT)"))
	is.True(strings.Contains(p.Warnings[0], "from port 443 to 8443 (NGINX_HTTPS_PORT)"))
	_, err = h.onPorts(t, 8080, 8443).Apply(ctx, p)
	is.NoErr(err) // whoever means it may do it
}

func moving(warnings []string) (found []string) {
	for _, w := range warnings {
		if strings.Contains(w, "this plan moves ") {
			found = append(found, w)
		}
	}
	return found
}

func TestAChangeLeavesRoutesThatItDoesNotNameOnTheirPorts(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	h := newMemoryHost(t)
	_, err := h.open(t).Do(ctx, Put(memoryRoute(t, "a"), memoryRoute(t, "b"), memoryRoute(t, "c")))
	is.NoErr(err)
	before := h.configuration()
	e := h.onPorts(t, 8080, 8443)
	_, err = e.Do(ctx, Put(memoryRoute(t, "b", withPort(8002))))
	is.NoErr(err)
	_, err = e.Do(ctx, Delete("c"))
	is.NoErr(err)
	a := memoryAvailable + "/fpai-a.conf"
	is.Equal(h.configuration()[a], before[a])
	is.True(strings.Contains(h.configuration()[memoryAvailable+"/fpai-b.conf"], "listen 8080;"))
}
