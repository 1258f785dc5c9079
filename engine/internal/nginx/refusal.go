package nginx

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
)

// A Refusal is nginx's refusal of its configuration.
type Refusal struct {
	Output string
	File   string // the file and line that nginx names, where it does
	Line   int
	Reason string
}

func (e *Refusal) Error() string {
	if e.File == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Test runs nginx -t. A refusal is a *Refusal; any other error means that the test could not be made.
func (n *Nginx) Test(ctx context.Context) error {
	out, err := child.Command{Path: n.bin, Args: n.args("-t", "-q"), Timeout: n.timeout}.Run(ctx)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || !child.Exited(err) {
		return err
	}
	return parseTestOutput(out)
}

// parseTestOutput finds the complaint in nginx's words. Its exit code is what counts; the text only explains.
func parseTestOutput(out string) *Refusal {
	e := &Refusal{Output: strings.TrimSpace(out), Reason: "nginx refuses the configuration"}
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if m := emergLine.FindStringSubmatch(line); m != nil {
			e.Reason, e.File = pidAndThread.ReplaceAllString(m[1], ""), m[2]
			e.Line, _ = strconv.Atoi(m[3])
			return e
		}
		for _, level := range []string{"[emerg] ", "[alert] ", "[crit] "} {
			if _, msg, ok := strings.Cut(line, level); ok {
				e.Reason = pidAndThread.ReplaceAllString(msg, "")
			}
		}
	}
	return e
}
