package main

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// A cost is what one PUT takes among n routes, and the floor there, in seconds.
type cost struct {
	n          int
	put, floor float64
}

// The plot's frame, in pixels.
const (
	width, height            = 640, 400
	left, right, top, bottom = 70, 20, 40, 50
	plotColor, floorColor    = "#1668b5", "#b5761a"
	gridColor, textColor     = "#8884", "#777"
	fontFamily               = "system-ui,sans-serif"
	plotTitle                = "One PUT until it is served, against the floor: write, nginx -t, SIGHUP"
)

// drawCosts returns an SVG of cost against the number of routes, both on logarithmic scales.
func drawCosts(costs []cost) []byte {
	costs = slices.SortedFunc(slices.Values(costs), func(a, b cost) int { return a.n - b.n })
	a := axesOf(costs)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="%s" font-size="12" fill="%s">`+"\n", width, height, fontFamily, textColor)
	fmt.Fprintf(&b, `<text x="%d" y="20" font-size="14">%s</text>`+"\n", left, plotTitle)
	a.grid(&b)
	a.line(&b, costs, floorColor, "6 4", "floor", func(c cost) float64 { return c.floor })
	a.line(&b, costs, plotColor, "", "PUT", func(c cost) float64 { return c.put })
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// axes map numbers of routes and seconds, by their decimal logarithms, to pixels.
type axes struct{ x0, x1, y0, y1 float64 }

func axesOf(costs []cost) axes {
	a := axes{x0: 1, x1: 1, y0: math.Inf(1), y1: math.Inf(-1)}
	for _, c := range costs {
		a.x1 = max(a.x1, math.Ceil(math.Log10(float64(c.n))))
		a.y0 = min(a.y0, math.Floor(math.Log10(min(c.put, c.floor))))
		a.y1 = max(a.y1, math.Ceil(math.Log10(max(c.put, c.floor))))
	}
	if a.x1 == a.x0 {
		a.x1++
	}
	return a
}

func (a axes) x(n float64) float64 {
	return left + (math.Log10(n)-a.x0)/(a.x1-a.x0)*(width-left-right)
}

func (a axes) y(s float64) float64 {
	return height - bottom - (math.Log10(s)-a.y0)/(a.y1-a.y0)*(height-top-bottom)
}

// grid draws a line and a label for each power of ten.
func (a axes) grid(b *bytes.Buffer) {
	for e := a.x0; e <= a.x1; e++ {
		n := math.Pow(10, e)
		fmt.Fprintf(b, `<path d="M%.1f %dV%d" stroke="%s"/><text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n",
			a.x(n), top, height-bottom, gridColor, a.x(n), height-bottom+18, n)
	}
	for e := a.y0; e <= a.y1; e++ {
		s := math.Pow(10, e)
		fmt.Fprintf(b, `<path d="M%d %.1fH%d" stroke="%s"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, a.y(s), width-right, gridColor, left-8, a.y(s)+4, seconds(s))
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle">routes that are there</text>`+"\n", (left+width-right)/2, height-8)
}

func (a axes) line(b *bytes.Buffer, costs []cost, color, dashes, name string, of func(cost) float64) {
	path, last := "", costs[len(costs)-1]
	for i, c := range costs {
		path += fmt.Sprintf("%c%.1f %.1f", "ML"[min(i, 1)], a.x(float64(c.n)), a.y(of(c)))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", a.x(float64(c.n)), a.y(of(c)), color)
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`+"\n", path, color, dashes)
	dy := map[string]int{"PUT": -10, "floor": 18}[name]
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="end" fill="%s">%s</text>`+"\n", a.x(float64(last.n))-4, a.y(of(last))+float64(dy), color, name)
}
