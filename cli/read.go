package cli

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// maxFile bounds what is read from a file: the plan of tens of thousands of routes has less.
const maxFile = 256 << 20

// read returns the text of a file, or of standard input for "-".
func (p *program) read(ctx context.Context, name string) ([]byte, error) {
	return unlessStopped(ctx, func() ([]byte, error) {
		if name == "-" {
			return readAll(name, p.In)
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, engine.Invalid(err)
		}
		defer f.Close()
		return readAll(name, f)
	})
}

func readAll(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = errors.New("too long")
	}
	if err != nil {
		return nil, inFile(name, err)
	}
	return text, nil
}

// unlessStopped waits for what read returns, or for a signal: a terminal, a pipe or a FIFO may never answer, and can't be
// told to give up.
func unlessStopped[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	got := make(chan result, 1)
	go func() {
		value, err := read()
		got <- result{value, err}
	}()
	select {
	case r := <-got:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
