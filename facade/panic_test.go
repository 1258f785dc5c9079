package facade_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/matryer/is"
)

func TestAPanicInAHandlerIs500AndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	c := start(t, setup{facade: func(o *facade.Options) { o.NewID = func() string { panic("out of ids") } }})
	r := c.do("POST", "/message", `{"message_type":"ping"}`, "X-Correlation-ID", "cid-1") // needs an id of its own
	is.Equal(r.status, 500)
	is.Equal(r.code(t), "INTERNAL")
	is.True(!strings.Contains(r.body, "out of ids")) // the log has that
	told := lines(t, c.log.String())
	is.Equal(told[0]["correlation_id"], "cid-1")
	is.Equal(told[0]["error"], "out of ids")
	is.True(strings.Contains(told[0]["stack"].(string), "message"))
	is.Equal(told[1]["error_code"], "INTERNAL")
	is.Equal(c.do("GET", "/proxies", "", "X-Correlation-ID", "cid-2").status, 200)
}

// A panickingDisk panics once, when a file is to take its place.
type panickingDisk struct {
	host.OS
	armed *atomic.Bool
}

func (d panickingDisk) Symlink(target, name string) error {
	if d.armed.Swap(false) {
		panic("in the middle")
	}
	return d.OS.Symlink(target, name)
}

func TestAPanicInTheMiddleOfAChangeIsUndone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	var armed atomic.Bool
	c := start(t, setup{engine: func(o *engine.Options) { o.FS = panickingDisk{armed: &armed} }})
	up := c.lab.Upstream("alpha")
	state := `{"routes":[` + strings.Replace(routeBody("alpha", up.Port(), ""), "{", `{"droplet_name":"alpha",`, 1) + `]}`
	before := c.lab.Tree()
	for _, accept := range []string{"application/json", "application/x-ndjson"} {
		p := c.do("POST", "/plan", state)
		armed.Store(true)
		r := c.do("POST", "/apply", p.body, "Accept", accept)
		is.True(!armed.Load()) // it was in the middle
		if accept == "application/json" {
			is.Equal(r.status, 500)
			is.Equal(r.code(t), "INTERNAL")
		} else {
			told := lines(t, r.body)
			last := told[len(told)-1]
			is.Equal(last["type"], "error")
			is.Equal(last["status"], 500.0)
		}
		is.Equal(c.lab.Tree().Diff(before), "")
		is.Equal(c.do("GET", "/proxies", "").status, 200)
	}
}
