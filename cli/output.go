package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// printJSON writes a value as people and programs both can read it.
func (p *program) printJSON(v any) error {
	p.answered = true
	e := json.NewEncoder(p.Out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// text is how plans and diffs look on stdout: in colour on a terminal, which nothing in them can drive, and otherwise as
// patch takes them.
func (p *program) text() plan.TextOptions {
	return plan.TextOptions{Terminal: p.OutTerminal, Color: p.colour(p.OutTerminal)}
}

func (p *program) printPlan(pl *plan.Plan) error { return pl.WriteText(p.Out, p.text()) }

// say writes a line of talk, which is no data.
func (p *program) say(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Err, format+"\n", args...)
}

// table writes rows under headings, the columns aligned. Cells are made safe for a terminal.
func table(w io.Writer, headings []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells []string) {
		for i, cell := range cells {
			if i > 0 {
				_, _ = io.WriteString(t, "\t")
			}
			_, _ = io.WriteString(t, visible(cell))
		}
		_, _ = io.WriteString(t, "\n")
	}
	line(headings)
	for _, row := range rows {
		line(row)
	}
	return t.Flush()
}

// visible shows control characters in Go's notation: what others wrote into a file must not drive the terminal.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
