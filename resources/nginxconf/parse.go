package nginxconf

import (
	"bytes"
	"fmt"
	"strings"
)

// A Directive is one directive of a configuration: its name, its arguments and, if it opens one, its block.
type Directive struct {
	Name string
	// Args are the arguments without quotes and escapes.
	Args []string
	// Block has the directives inside; nil if the directive has no block.
	Block []Directive
	// File and Line are where the name stands; the first line is 1.
	File string
	Line int
}

// Bounds of what [Parse] reads. nginx itself has none, but files that are not ours may be anything.
const (
	MaxBytes = 16 << 20
	MaxDepth = 100
)

// A SyntaxError says where a text is no nginx configuration.
type SyntaxError struct {
	File    string
	Line    int
	Problem string
}

// Error implements error, in nginx's own words for a place: "file:line".
func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem) }

// Parse reads a configuration as nginx's tokenizer does: words, single and double quotes, backslashes, comments, ${name},
// and the blocks of Lua code that OpenResty adds, which are passed over. It follows no include. The file's name is only
// noted. With an error, a *[SyntaxError], come the directives that were read before it.
func Parse(file string, b []byte) ([]Directive, error) {
	p := parser{file: file, text: b, line: 1}
	if len(b) > MaxBytes {
		return nil, p.wrong(fmt.Sprintf("is larger than %d bytes", MaxBytes))
	}
	// A byte order mark is an unknown directive to nginx, but says nothing about the sites.
	p.text = bytes.TrimPrefix(p.text, []byte("\ufeff"))
	return p.block(0)
}

type parser struct {
	file string
	text []byte
	pos  int
	line int
}

func (p *parser) wrong(problem string) error {
	return &SyntaxError{File: p.file, Line: p.line, Problem: problem}
}

// block reads directives up to the block's closing brace, or to the end of the text at depth 0.
func (p *parser) block(depth int) ([]Directive, error) {
	ds := []Directive{}
	if depth > MaxDepth {
		return ds, p.wrong("has blocks nested too deeply")
	}
	for {
		d := Directive{File: p.file}
		closed, err := p.directive(&d, depth)
		if d.Name != "" {
			ds = append(ds, d)
		}
		if err != nil || closed {
			return ds, err
		}
	}
}

// directive reads one directive; closed means that the block, or the text, ended instead.
func (p *parser) directive(d *Directive, depth int) (closed bool, err error) {
	for first := true; ; first = false {
		p.space()
		if first {
			d.Line = p.line
		}
		switch c, ok := p.peek(); {
		case !ok && depth == 0 && first:
			return true, nil
		case !ok:
			return false, p.wrong("the text ends too early")
		case c == '}' && first && depth > 0:
			p.pos++
			return true, nil
		case c == '}':
			return false, p.wrong("unexpected }")
		case c == ';':
			p.pos++
			return false, nil
		case c == '{':
			p.pos++
			return false, p.open(d, depth)
		}
		word, err := p.word()
		if err != nil {
			return false, err
		}
		if first {
			d.Name = word
		} else {
			d.Args = append(d.Args, word)
		}
	}
}

// endQuoted refuses what nginx does not take behind a closing quote: the next word needs a space, but for ")".
func (p *parser) endQuoted() error {
	switch c, ok := p.peek(); {
	case !ok, c == ' ', c == '\t', c == '\r', c == '\n', c == ';', c == '{', c == ')':
		return nil
	default:
		return p.wrong(fmt.Sprintf("unexpected %q behind a quote", c))
	}
}

// open reads the block of a directive.
func (p *parser) open(d *Directive, depth int) (err error) {
	if strings.HasSuffix(d.Name, "_by_lua_block") {
		return p.lua()
	}
	d.Block, err = p.block(depth + 1)
	return err
}

func (p *parser) peek() (byte, bool) {
	if p.pos < len(p.text) {
		return p.text[p.pos], true
	}
	return 0, false
}

// space passes over white space and comments. A # begins a comment only where a word could begin.
func (p *parser) space() {
	for ; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		case '#':
			end := bytes.IndexByte(p.text[p.pos:], '\n')
			if end < 0 {
				p.pos = len(p.text)
				return
			}
			p.pos += end - 1
		default:
			return
		}
	}
}

func (p *parser) word() (string, error) {
	if c := p.text[p.pos]; c == '"' || c == '\'' {
		p.pos++
		return p.quoted(c)
	}
	start, variable := p.pos, false
	for ; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case ' ', '\t', '\r', '\n', ';':
			return unescape(p.text[start:p.pos]), nil
		case '{':
			// ${name} is a variable, not the start of a block; behind an escaped $ it is one.
			if !variable {
				return unescape(p.text[start:p.pos]), nil
			}
		case '\\':
			p.skip()
			variable = false
		default:
			variable = c == '$'
		}
	}
	p.pos = len(p.text)
	return unescape(p.text[start:]), nil
}

// quoted reads up to the closing quote.
func (p *parser) quoted(quote byte) (string, error) {
	start := p.pos
	for ; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case quote:
			p.pos++
			return unescape(p.text[start : p.pos-1]), p.endQuoted()
		case '\\':
			p.skip()
		case '\n':
			p.line++
		}
	}
	p.pos = len(p.text)
	return "", p.wrong("a quote is not closed")
}

// skip passes over a backslash; the loop it is called from passes over what it escapes.
func (p *parser) skip() {
	p.pos++
	if c, ok := p.peek(); ok && c == '\n' {
		p.line++
	}
}

// unescape does what nginx does: only quotes, backslashes and three letters are escapes, others keep their backslash.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	s := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			if c := escapes[b[i+1]]; c != 0 {
				s = append(s, c)
				i++
				continue
			}
		}
		s = append(s, b[i])
	}
	return string(s)
}

var escapes = [256]byte{'"': '"', '\'': '\'', '\\': '\\', 't': '\t', 'r': '\r', 'n': '\n'}
