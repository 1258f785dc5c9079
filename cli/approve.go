package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/urfave/cli/v2"
)

// approve asks whether to go on, unless that was said already. Where nobody can be asked it refuses.
func (p *program) approve(c *cli.Context) error {
	switch {
	case c.Bool(optApprove):
		return nil
	case c.Bool(optJSON):
		return usagef("--json asks nobody: add --auto-approve, or --dry-run to see the plan")
	case !p.InTerminal || !p.ErrTerminal:
		return usagef("there is no terminal to ask at: add --auto-approve, or --dry-run to see the plan")
	}
	p.ask("\nDo it? Only %q goes on: ", "yes")
	answer, err := p.answer(c.Context)
	if err != nil {
		return err
	}
	if answer != "yes" {
		return &engine.Error{Code: engine.InvalidInput, Message: "not approved"}
	}
	return nil
}

func (p *program) ask(format string, args ...any) { _, _ = fmt.Fprintf(p.Err, format, args...) }

// answer reads one line.
func (p *program) answer(ctx context.Context) (string, error) {
	line, err := unlessStopped(ctx, func() (string, error) { return bufio.NewReader(p.In).ReadString('\n') })
	if ctx.Err() != nil {
		p.say("")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimSpace(line), nil
}
