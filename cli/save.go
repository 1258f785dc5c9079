package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/urfave/cli/v2"
)

// savePlan shows a plan, and saves it where --out says.
func (p *program) savePlan(c *cli.Context, pl *plan.Plan) error {
	name := c.String(optOut)
	if name == "-" {
		p.answered = true
		return pl.Encode(p.Out) // and nothing else is there
	}
	if name != "" {
		var text bytes.Buffer
		if err := pl.Encode(&text); err != nil {
			return err
		}
		if err := save(c.Context, name, text.Bytes()); err != nil {
			return fmt.Errorf("save the plan: %w", err)
		}
	}
	if err := p.showPlan(c, pl); err != nil || name == "" {
		return err
	}
	p.say("Saved to %s. 'proxy-manager apply %s' does exactly this, or nothing if the host has changed.", name, name)
	return nil
}

// save writes a file so that a reader finds it whole or not at all, for its owner alone: diffs show configurations. What is
// there and is no regular file, such as a FIFO or a device, is written to and stays what it is.
func save(ctx context.Context, name string, text []byte) error {
	name, replaceable, err := destination(name)
	if err != nil {
		return err
	}
	if replaceable {
		return replace(name, text)
	}
	_, err = unlessStopped(ctx, func() (int, error) { return 0, writeTo(name, text) }) // a FIFO may have no reader
	return err
}

// destination follows links to what a name stands for, and says whether a new file may take that place: it may where there is
// a regular file or none. Of a link in /proc, as /dev/stdout is one, the target may be nowhere in the file system.
func destination(name string) (path string, replaceable bool, err error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return name, false, nil
	}
	for range 40 {
		dir, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			return "", false, err
		}
		name = filepath.Join(dir, filepath.Base(name))
		if strings.HasPrefix(dir, "/proc/") {
			return name, false, nil
		}
		to, err := os.Readlink(name)
		if err != nil {
			return name, true, nil // no link
		}
		if !filepath.IsAbs(to) {
			to = dir + "/" + to // not cleaned: what ".." is depends on the links before it
		}
		name = to
	}
	return "", false, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many levels of symbolic links")}
}

func writeTo(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func replace(name string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".plan-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
