package plan

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// TextOptions say whom a plan's text is for. The zero value is for pipes and files.
type TextOptions struct {
	// Color marks what comes in green, what goes in red, and the rest that matters in yellow. It implies Terminal.
	Color bool
	// Terminal shows the control characters of diffs in Go's notation, such as \x1b, so that nothing in a file that
	// somebody else wrote can drive the terminal or hide from the reader. Without it diffs are exact to the byte, which
	// is what patch needs. All text outside of diffs is shown like this in any case.
	Terminal bool
}

// WriteText writes the plan for people: which resources change and why, then the steps in order with their diffs, and at
// the end the line "Plan: 1 to add, 0 to change, 0 to destroy." or, if there is nothing to do, "No changes."
//
// Without options, what is written can be given to "patch -p1 -d /" or "git apply" as it is: the diffs begin at the first
// column, and everything else is prose that both skip.
func (p *Plan) WriteText(w io.Writer, o TextOptions) error {
	t := newTextWriter(w, o)
	t.changes(p.Changes)
	t.drift(p.Changes)
	t.steps(p.Steps)
	t.warnings(p.Warnings)
	t.closing(p)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// WriteDiff writes the diff of a step as [Plan.WriteText] does: without options exact to the byte, for patch.
func WriteDiff(w io.Writer, diff string, o TextOptions) error {
	t := newTextWriter(w, o)
	t.diff(diff)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write diff: %w", err)
	}
	return nil
}

// String returns the text of [Plan.WriteText] without options.
func (p *Plan) String() string {
	var b strings.Builder
	_ = p.WriteText(&b, TextOptions{}) // a Builder takes everything
	return b.String()
}

// A textWriter writes the parts of a plan's text. Its bufio.Writer keeps the first error until the end.
//
// Foreign text stands only behind words of our own on the same line: at the start of one, or behind nothing but spaces,
// "--- " or "3d" would be the beginning of a patch.
type textWriter struct {
	*bufio.Writer
	color, terminal bool
}

func newTextWriter(w io.Writer, o TextOptions) *textWriter {
	return &textWriter{Writer: bufio.NewWriter(w), color: o.Color, terminal: o.Terminal || o.Color}
}

func (t *textWriter) changes(changes []Change) {
	changes = slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return c.Action == Unchanged })
	if len(changes) == 0 {
		return
	}
	t.print("These resources change:\n\n")
	for _, c := range changes {
		symbol, color := symbolOf(c.Action)
		t.print("  %s %s", t.paint(color, symbol), prose(c.Address))
		if c.Reason != "" {
			t.print(": %s", prose(c.Reason))
		}
		t.print("\n")
	}
	t.print("\n")
}

func symbolOf(a Action) (symbol, color string) {
	switch a {
	case Create:
		return "+", green
	case Delete:
		return "-", red
	default:
		return "~", yellow
	}
}

func (t *textWriter) drift(changes []Change) {
	for _, c := range changes {
		if c.Drifted {
			t.print("%s %s was changed by something else since it was last applied.\n\n", t.paint(yellow, "Drift:"), prose(c.Address))
		}
	}
}

func (t *textWriter) steps(steps []Step) {
	if len(steps) == 0 {
		return
	}
	t.print("These steps are taken, in this order:\n\n")
	for i, s := range steps {
		t.print("%d. %s\n", i+1, prose(cmp.Or(s.Description, s.Kind+" "+s.Path)))
		if s.Diff != "" {
			t.print("\n")
			t.diff(s.Diff)
			t.print("\n")
		}
	}
	if steps[len(steps)-1].Diff == "" {
		t.print("\n")
	}
}

// diff writes the diff from the first column: git does not find an indented one.
func (t *textWriter) diff(diff string) {
	diff = strings.TrimSuffix(diff, "\n")
	if !t.terminal {
		t.print("%s\n", diff)
		return
	}
	inHunk := false // outside of one, "--- " is a header
	for l := range strings.SplitSeq(diff, "\n") {
		switch {
		case strings.HasPrefix(l, "@@ "):
			inHunk = true
		case strings.HasPrefix(l, "diff "):
			inHunk = false
		}
		t.print("%s\n", t.paint(lineColor(l, inHunk), visible(l)))
	}
}

func lineColor(line string, inHunk bool) string {
	switch {
	case inHunk && strings.HasPrefix(line, "+"):
		return green
	case inHunk && strings.HasPrefix(line, "-"):
		return red
	default:
		return ""
	}
}

func (t *textWriter) warnings(warnings []string) {
	for _, w := range warnings {
		t.print("%s %s\n\n", t.paint(yellow, "Warning:"), prose(w))
	}
}

// closing ends the text with a line that scripts may look for, so it is never painted.
func (t *textWriter) closing(p *Plan) {
	if p.Empty() {
		t.print("No changes. The host matches the desired state.\n")
		return
	}
	t.print("Plan: %d to add, %d to change, %d to destroy.\n", p.Summary.Create, p.Summary.Update, p.Summary.Delete)
}

func (t *textWriter) print(format string, args ...any) {
	_, _ = fmt.Fprintf(t, format, args...) // WriteText reports the error when it flushes
}

// The colors, as the parameter of SGR in ECMA-48 section 8.3.117.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *textWriter) paint(color, s string) string {
	if !t.color || color == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
