// Command bench measures Proxy Manager against the least that any tool has to do on the same machine: nginx's own test and
// reload, reading the same files, a vhost tuned by hand. It prints ratios, since only they mean something on another
// machine. Both sides of a ratio take turns, so that a busy minute hits both.
//
//	make bench                        the whole table, about ten minutes
//	go run ./examples/bench -quick    small numbers of routes, about two minutes
//	make bench-peers                  the same work done by Caddy, OpenTofu and Ansible
//
// Everything runs in temporary directories, on an nginx of its own (package enginetest).
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// A bench is one run of the program.
type bench struct {
	binary string // of proxy-manager
	scale  scale
	table  *table
	costs  []cost // of one PUT, for the plot
	dir    string // of all that is measured
	out    io.Writer
}

// A scale is how much is measured.
type scale struct {
	rounds     int
	put        []int // numbers of routes that are there when one is put
	many, most int   // routes for what is measured once, and for what grows
	burst      int   // PUTs at the same time
	slow       int   // routes for what takes half a second for each
	turns      int   // under load
	load       time.Duration
	applies    int // in a row, under load
}

var (
	full  = scale{rounds: 7, put: []int{10, 100, 1000, 5000}, many: 1000, most: 10_000, burst: 200, slow: 50, turns: 21, load: time.Second, applies: 50}
	quick = scale{rounds: 5, put: []int{10, 300}, many: 300, most: 1000, burst: 100, slow: 10, turns: 5, load: time.Second, applies: 10}
	tiny  = scale{rounds: 1, put: []int{3}, many: 3, most: 5, burst: 4, slow: 2, turns: 1, load: 200 * time.Millisecond, applies: 2}
)

func main() {
	short := flag.Bool("quick", false, "small numbers of routes, in about two minutes")
	peers := flag.Bool("peers", false, "measure what people use today, as far as it can be had, on the same work")
	rounds := flag.Int("rounds", 0, "how often each side is measured, instead of 7 times (5 with -quick)")
	only := flag.String("only", "", "measure only what has this in its name")
	binary := flag.String("bin", "bin/proxy-manager", "the program that is measured (make build)")
	markdown := flag.String("md", "", "write the table into this Markdown file, between the markers of its place")
	plot := flag.String("plot", "", "write the cost of one PUT against the number of routes to this SVG file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b := &bench{binary: *binary, scale: full, table: &table{}, out: os.Stdout}
	if *short {
		b.scale = quick
	}
	if *rounds > 0 {
		b.scale.rounds = *rounds
	}
	parts := b.parts()
	if *peers {
		parts = b.peerParts()
	}
	if err := b.run(ctx, parts, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	place := benchPlace
	if *peers {
		place = peersPlace
	}
	if err := b.save(*markdown, place, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A part measures one thing, or several that share what takes long to set up.
type part struct {
	name    string
	measure func(ctx context.Context) error
}

func (b *bench) parts() []part {
	return []part{
		{"put", b.measurePuts},
		{"many", b.measureMany},
		{"bulk", b.measureBulk},
		{"most", b.measureMost},
		{"dataplane", b.measureDataPlane},
		{"drops", b.measureDrops},
	}
}

// peerParts measure what people use today on the same work, as far as it can be had.
func (b *bench) peerParts() []part {
	return []part{{"caddy", b.measureCaddy}, {"tofu", b.measureTofu}, {"ansible", b.measureAnsible}}
}

func (b *bench) run(ctx context.Context, parts []part, only string) error {
	start := time.Now()
	remove, err := b.makeDir()
	if err != nil {
		return err
	}
	defer remove()
	for _, p := range parts {
		if !strings.Contains(p.name, only) {
			continue
		}
		if err := p.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.table.print(b.out)
	fmt.Fprintf(b.out, "\n%s, in %s.\n", machine(), time.Since(start).Round(time.Second))
	return nil
}

func (b *bench) save(markdown, place, plot string) error {
	if plot != "" && len(b.costs) > 0 {
		if err := os.WriteFile(plot, drawCosts(b.costs), 0o644); err != nil {
			return err
		}
	}
	if markdown != "" {
		return b.table.intoMarkdown(markdown, place, fmt.Sprintf("%s, %d rounds, three times as many for what is quick", machine(), b.scale.rounds))
	}
	return nil
}

// roundsFor is how often something is measured that takes little time with so many routes: then a ratio of 1.05 is less than
// the noise of a few rounds.
func (b *bench) roundsFor(n int) int {
	if n <= b.scale.many {
		return 3 * b.scale.rounds
	}
	return b.scale.rounds
}

// say tells how far the run has come, on the error output: the table goes to the other.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
