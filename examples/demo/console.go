package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// A console tells the story, and keeps the score.
type console struct {
	w      io.Writer
	color  bool
	start  time.Time
	scene  string // the title that was last shown
	claims []claim
}

type claim struct {
	scene  string
	text   string
	proved bool
}

func newConsole(w io.Writer, color bool) *console {
	return &console{w: w, color: color, start: time.Now()}
}

// wantsColor reports whether a person looks at the file who did not say no (https://no-color.org).
func wantsColor(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// The colours, as parameters of SGR (ECMA-48, section 8.3.117).
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

func (c *console) paint(color, s string) string {
	if !c.color {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (c *console) print(format string, args ...any) { _, _ = fmt.Fprintf(c.w, format, args...) }

func (c *console) title(format string, args ...any) {
	c.scene = fmt.Sprintf(format, args...)
	c.print("\n%s\n\n", c.paint(bold, c.scene))
}

func (c *console) say(format string, args ...any) { c.print("%s\n", fmt.Sprintf(format, args...)) }

// maxShown is how many lines of a plan are shown: a demo is read while it runs.
const maxShown = 30

// show prints what a command printed. What is cut out is the middle: a plan's last line sums it up.
func (c *console) show(output string) {
	if output == "" {
		return
	}
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	for i, l := range lines {
		switch cut := len(lines) - maxShown - 1; {
		case cut > 0 && i == maxShown:
			l = fmt.Sprintf("... (%d lines)", cut)
		case cut > 0 && i > maxShown && i < len(lines)-1:
			continue
		}
		if l != "" {
			l = "    " + l
		}
		c.print("%s\n", c.paint(faint, l))
	}
}

// prove notes a claim, and whether it held.
func (c *console) prove(held bool, format string, args ...any) {
	cl := claim{c.scene, fmt.Sprintf(format, args...), held}
	c.claims = append(c.claims, cl)
	c.print("  %s\n", c.line(cl))
}

func (c *console) line(cl claim) string {
	if cl.proved {
		return c.paint(green, "ok") + "   " + cl.text
	}
	return c.paint(red, "FAIL") + " " + cl.text
}

// verdict repeats all claims, and is an error if one did not hold.
func (c *console) verdict() error {
	c.title("What was proved, in %.0f seconds", time.Since(c.start).Seconds())
	failed, scene := 0, ""
	for _, cl := range c.claims {
		if cl.scene != scene {
			scene = cl.scene
			c.print("%s\n", scene)
		}
		c.print("  %s\n", c.line(cl))
		if !cl.proved {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d claims did not hold", failed, len(c.claims))
	}
	c.say("\nAll %d claims held.", len(c.claims))
	return nil
}
