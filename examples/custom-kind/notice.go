package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Notice is a site that answers every request with one sentence: where a service has gone, say.
type Notice struct {
	Name   string `json:"name"`
	Domain string `json:"domain"`
	Text   string `json:"text"`
}

const noticeKind = "notice"

// Address names the resource in plans; its file is fpai-_notice-NAME.conf.
func (n Notice) Address() string { return noticeKind + "." + n.Name }

// Enabled makes nginx read the file.
func (n Notice) Enabled() bool { return true }

// Claims keep every other resource, and every site that somebody wrote by hand, from the same domain.
func (n Notice) Claims() []engine.Claim { return []engine.Claim{{What: "domain", Name: n.Domain}} }

// Plan says what nginx shall read. Whether the file and its link have to be written, and how that is undone, is the
// engine's business.
func (n Notice) Plan(_ context.Context, _ *host.Observer, b *engine.Builder) error {
	text, err := n.render(b.Settings())
	if err != nil {
		return err
	}
	return b.Site(text)
}

func (n Notice) render(s resources.Settings) ([]byte, error) {
	var w nginxconf.Writer
	w.Block("server", nil, func() {
		w.Directive("listen", strconv.Itoa(s.HTTPPort))
		w.Directive("server_name", n.Domain)
		w.Directive("default_type", "text/plain")
		w.Directive("return", "200", n.Text)
	})
	return w.Bytes()
}

// decodeNotice reads a notice back, from a saved plan or the header of its file. Both may have been edited, so it is checked
// like any other input.
func decodeNotice(b []byte) (engine.Resource, error) {
	r, err := engine.DecodeJSON[Notice](b)
	if err != nil {
		return nil, err
	}
	n := r.(Notice)
	return NewNotice(n.Name, n.Domain, n.Text)
}

// NewNotice checks what becomes a file's name and nginx's configuration.
func NewNotice(name, domain, text string) (Notice, error) {
	if _, err := resources.ParseName(name); err != nil {
		return Notice{}, err
	}
	route, err := resources.NewRoute(resources.RouteFields{DropletName: name, Domain: domain, UpstreamPort: 1})
	if err != nil {
		return Notice{}, err
	}
	if len(text) == 0 || len(text) > 200 || bytes.ContainsFunc([]byte(text), func(r rune) bool { return r < ' ' || r > '~' }) {
		return Notice{}, fmt.Errorf("the text of notice %s must be from 1 to 200 printable ASCII characters", name)
	}
	return Notice{route.Name(), route.Domain(), text}, nil
}
