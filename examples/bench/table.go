package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// A table is the result of a run.
type table struct{ rows []row }

// A row is one comparison: what was measured, against what, and how the first relates to the second.
type row struct {
	what, ours, base, ratio, target string
}

// compare adds a row of durations in seconds. A smaller ratio is better.
func (t *table) compare(what string, ours samples, baseName string, base samples, target string) {
	t.rows = append(t.rows, row{what, seconds(ours.median()), baseName + " " + seconds(base.median()), spread(ratios(ours, base)), target})
}

// compareRates adds a row of rates, such as requests per second. A larger ratio is better.
func (t *table) compareRates(what string, ours samples, baseName string, base samples, target string) {
	t.rows = append(t.rows, row{what, rate(ours.median()), baseName + " " + rate(base.median()), spread(ratios(ours, base)), target})
}

// amount adds a row that is no ratio.
func (t *table) amount(what, ours, target string) {
	t.rows = append(t.rows, row{what: what, ours: ours, target: target})
}

func spread(r samples) string {
	return fmt.Sprintf("%s (%s–%s)", ratio(r.median()), ratio(r.min()), ratio(r.max()))
}

func ratio(r float64) string {
	if r < 0.1 {
		return fmt.Sprintf("%.2g", r)
	}
	return fmt.Sprintf("%.2f", r)
}

func seconds(s float64) string {
	switch d := time.Duration(s * float64(time.Second)); {
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", s*1e6)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", s*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", s*1e3)
	default:
		return fmt.Sprintf("%.2f s", s)
	}
}

func rate(r float64) string { return fmt.Sprintf("%.0f/s", r) }

var heads = row{"what", "here", "against", "ratio: median (min–max)", "target"}

func (r row) cells() []string { return []string{r.what, r.ours, r.base, r.ratio, r.target} }

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range append([]row{heads}, t.rows...) {
		fmt.Fprintln(tw, strings.Join(r.cells(), "\t"))
	}
	_ = tw.Flush()
}

func (t *table) markdown() string {
	var b strings.Builder
	for i, r := range append([]row{heads}, t.rows...) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r.cells(), " | "))
		if i == 0 {
			b.WriteString("|---|---|---|---|---|\n")
		}
	}
	return b.String()
}

// The places in a Markdown file where tables stand, each between two markers.
const (
	benchPlace = "performance"
	peersPlace = "peers"
)

// intoMarkdown puts the table between the markers of a place in a file, instead of the one before.
func (t *table) intoMarkdown(file, place, note string) error {
	marker, endMarker := "<!-- "+place+" -->", "<!-- /"+place+" -->"
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, after, ok := bytes.Cut(text, []byte(marker))
	if !ok {
		return fmt.Errorf("%s has no line %s", file, marker)
	}
	if _, rest, ok := bytes.Cut(after, []byte(endMarker)); ok {
		after = rest
	}
	whole := fmt.Sprintf("%s%s\n\n%s\n%s.\n\n%s%s", before, marker, t.markdown(), note, endMarker, after)
	return os.WriteFile(file, []byte(whole), 0o644)
}

// machine says where the numbers are from.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("Measured on %d cores (%s), nginx %s, %s", runtime.NumCPU(), model, nginxVersion(), runtime.Version())
}
