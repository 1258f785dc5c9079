package engine

import (
	"context"
	"errors"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A server is the nginx that an engine drives: the host's is an [nginx.Nginx]. The crash tests put a stand-in there, since
// no real one can read a simulated file system.
type server interface {
	Build(ctx context.Context) (*nginx.Build, error)
	ConfPath(b *nginx.Build) string
	Test(ctx context.Context) error
	Master(pidFile string) (int, error)
	StartReload(ctx context.Context, p nginx.Paths) (nginx.Reload, error)
	Ask(ctx context.Context, q nginx.Question) error
	Generation(pidFile string) (nginx.Generation, error)
}

// build returns what nginx's binary says of itself.
func (e *Engine) build(ctx context.Context) (*nginx.Build, error) {
	b, err := e.nginx.Build(ctx)
	if err != nil {
		return nil, failf(NginxBroken, err, "")
	}
	return b, nil
}

// test has nginx test its configuration as it is. What nginx refuses has this code and message, and names file and line.
func (e *Engine) test(ctx context.Context, code Code, message string) error {
	err := e.nginx.Test(ctx)
	if err == nil {
		return nil
	}
	refusal, ok := errors.AsType[*nginx.Refusal](err)
	if !ok && ctx.Err() != nil {
		return failf(Internal, context.Cause(ctx), "stopped while nginx tested its configuration")
	}
	if !ok {
		return failf(code, err, "test nginx's configuration").with("nginx_output", child.Output(err))
	}
	return failf(code, refusal, "%s", message).
		with("nginx_output", refusal.Output).with("file", refusal.File).with("line", refusal.Line)
}

// paths returns where the running nginx keeps its pid and its log. What stands at the top of nginx.conf is enough for
// that; where it can't be read, it is what the binary was built with, and the error says why.
func (e *Engine) paths(o *host.Observer, b *nginx.Build) (nginx.Paths, error) {
	conf := e.nginx.ConfPath(b)
	text, err := o.ReadFile(conf)
	if err != nil {
		return b.Paths(nil), err
	}
	tree, err := nginxconf.Parse(conf, text)
	return b.Paths(tree), err
}
