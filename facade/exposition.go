package facade

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A counter counts by the values of its labels. Whoever counts sees to it that these are few.
type counter struct {
	labels []string
	mu     sync.Mutex
	counts map[string]float64 // by the values, joined by NUL
}

func newCounter(labels ...string) *counter {
	return &counter{labels: labels, counts: map[string]float64{}}
}

func (c *counter) add(values ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[strings.Join(values, "\x00")]++
}

// A histogram sorts durations into buckets.
type histogram struct {
	bounds []float64 // in seconds, ascending
	mu     sync.Mutex
	counts []uint64 // the last is of what exceeds all bounds
	sum    float64
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

func (h *histogram) observe(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i, _ := slices.BinarySearch(h.bounds, d.Seconds())
	h.counts[i]++
	h.sum += d.Seconds()
}

// An exposition writes Prometheus's text format, version 0.0.4.
type exposition struct{ w io.Writer }

func (x exposition) family(name, kind, help string) {
	fmt.Fprintf(x.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample writes one value; labels are names and values by turns.
func (x exposition) sample(name string, value float64, labels ...string) {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelEscapes.Replace(labels[i+1])+`"`)
	}
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	fmt.Fprintf(x.w, "%s %s\n", name, decimal(value))
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (x exposition) gauge(name, help string, value float64, labels ...string) {
	x.family(name, "gauge", help)
	x.sample(name, value, labels...)
}

func (x exposition) counter(name, help string, c *counter) {
	x.family(name, "counter", help)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.labels) == 0 && len(c.counts) == 0 {
		x.sample(name, 0) // so that its first increase is seen as one
	}
	for _, key := range slices.Sorted(maps.Keys(c.counts)) {
		var labels []string
		for i, value := range strings.Split(key, "\x00") {
			if i < len(c.labels) {
				labels = append(labels, c.labels[i], value)
			}
		}
		x.sample(name, c.counts[key], labels...)
	}
}

func (x exposition) histogram(name, help string, h *histogram) {
	x.family(name, "histogram", help)
	h.mu.Lock()
	defer h.mu.Unlock()
	var below uint64
	for i, bound := range h.bounds {
		below += h.counts[i]
		x.sample(name+"_bucket", float64(below), "le", decimal(bound))
	}
	below += h.counts[len(h.bounds)]
	x.sample(name+"_bucket", float64(below), "le", "+Inf")
	x.sample(name+"_sum", h.sum)
	x.sample(name+"_count", float64(below))
}
