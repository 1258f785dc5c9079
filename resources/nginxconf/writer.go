package nginxconf

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Expr is an argument in which $name stands for a variable of nginx. A literal $ can't be written in one: nginx has no
// escape for it. Make an Expr from constants of the program only, and bring data in through [Join].
type Expr string

// Join returns an expression that begins with a literal text. The [Writer] refuses it if the text has a $.
func Join(literal string, e Expr) Expr {
	if strings.Contains(literal, "$") {
		return "$" // no variable's name follows, so it is refused
	}
	return Expr(literal) + e
}

// A Writer writes directives. After the first that it refuses it writes no more, and [Writer.Bytes] returns the error.
// The zero Writer is ready to use.
type Writer struct {
	buf   []byte
	depth int
	err   error
}

// A RefusedError says which argument the [Writer] did not accept.
type RefusedError struct {
	// Directive is the name of the directive, or "#" for a comment.
	Directive string
	// Arg is the argument.
	Arg string
	// Reason says what is wrong with it.
	Reason string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("nginx directive %.40q: argument %.80q %s", e.Directive, e.Arg, e.Reason)
}

// Bytes returns what was written, or the error for the first thing refused.
func (w *Writer) Bytes() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.buf, nil
}

// Grow makes room for n more bytes, as [bytes.Buffer.Grow] does.
func (w *Writer) Grow(n int) { w.buf = slices.Grow(w.buf, n) }

// Directive writes a directive whose arguments are literal: a $ is refused.
func (w *Writer) Directive(name string, args ...string) {
	w.start(name)
	for _, a := range args {
		w.literal(name, a)
	}
	w.end(";\n")
}

// Expand writes a directive in whose arguments nginx replaces variables.
func (w *Writer) Expand(name string, args ...Expr) {
	w.start(name)
	for _, a := range args {
		w.expr(name, a)
	}
	w.end(";\n")
}

// Exact writes a directive whose arguments are regular expressions that match exactly the given texts.
func (w *Writer) Exact(name string, texts ...string) {
	w.start(name)
	for _, t := range texts {
		w.check(name, t, isLiteral)
		w.quote("~^" + regexp.QuoteMeta(t) + "$")
	}
	w.end(";\n")
}

// Block writes a directive with a block, whose arguments are literal. The body writes what is in it.
func (w *Writer) Block(name string, args []string, body func()) {
	w.start(name)
	for _, a := range args {
		w.literal(name, a)
	}
	w.block(body)
}

// ExpandBlock is [Writer.Block] for arguments that name variables, such as those of map.
func (w *Writer) ExpandBlock(name string, args []Expr, body func()) {
	w.start(name)
	for _, a := range args {
		w.expr(name, a)
	}
	w.block(body)
}

// Comment writes a comment of one line.
func (w *Writer) Comment(text string) {
	w.check("#", text, isComment)
	if w.err == nil {
		w.indent()
		w.buf = append(append(append(w.buf, "# "...), text...), '\n')
	}
}

// Blank writes an empty line.
func (w *Writer) Blank() {
	if w.err == nil {
		w.buf = append(w.buf, '\n')
	}
}

func (w *Writer) start(name string) {
	w.check(name, name, isName)
	if w.err == nil {
		w.indent()
		w.buf = append(w.buf, name...)
	}
}

func (w *Writer) indent() {
	for range w.depth {
		w.buf = append(w.buf, "    "...)
	}
}

func (w *Writer) end(s string) {
	if w.err == nil {
		w.buf = append(w.buf, s...)
	}
}

func (w *Writer) block(body func()) {
	w.end(" {\n")
	w.depth++
	body()
	w.depth--
	if w.err == nil {
		w.indent()
		w.end("}\n")
	}
}

func (w *Writer) literal(name, arg string) {
	w.check(name, arg, isLiteral)
	w.quote(arg)
}

func (w *Writer) expr(name string, arg Expr) {
	w.check(name, string(arg), isExpr)
	w.quote(string(arg))
}

func (w *Writer) check(name, arg string, ok func(string) string) {
	if w.err != nil {
		return
	}
	if reason := ok(arg); reason != "" {
		w.err = &RefusedError{Directive: name, Arg: arg, Reason: reason}
	}
}

// quote writes an argument that was checked, in quotes unless it is plain. Within quotes nginx takes a backslash before a
// quote or a backslash away, and keeps it before most other characters: so both are escaped, always.
func (w *Writer) quote(arg string) {
	if w.err != nil {
		return
	}
	w.buf = append(w.buf, ' ')
	if arg != "" && all(arg)&plain != 0 {
		w.buf = append(w.buf, arg...)
		return
	}
	w.buf = append(w.buf, '"')
	for i := range len(arg) {
		if arg[i] == '"' || arg[i] == '\\' {
			w.buf = append(w.buf, '\\')
		}
		w.buf = append(w.buf, arg[i])
	}
	w.buf = append(w.buf, '"')
}

// A class is what a byte may be part of.
type class uint8

const (
	printable class = 1 << iota // ASCII that can be seen, and the space
	literal                     // of these, all but the $
	plain                       // of these, what means nothing to nginx's tokenizer wherever it stands
)

// classes has the $ among the plain, because where it is allowed at all it is part of a variable's name.
var classes = func() (classes [256]class) {
	for c := ' '; c <= '~'; c++ {
		classes[c] = printable | literal
	}
	classes['$'] = printable
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,*+@~^$%[]|?!") {
		classes[c] |= plain
	}
	return classes
}()

// all returns the classes that every byte of s is in.
func all(s string) class {
	common := printable | literal | plain
	for i := range len(s) {
		common &= classes[s[i]]
	}
	return common
}

func isName(s string) string {
	for i := range len(s) {
		if c := s[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "is not a directive's name"
		}
	}
	if s == "" {
		return "is not a directive's name"
	}
	return ""
}

func isComment(s string) string {
	if all(s)&printable != 0 {
		return ""
	}
	for i := range len(s) {
		if classes[s[i]]&printable == 0 {
			return "has the byte " + strconv.Itoa(int(s[i])) + ", which is not printable ASCII"
		}
	}
	return ""
}

func isLiteral(s string) string {
	if all(s)&literal != 0 {
		return ""
	}
	if strings.Contains(s, "$") {
		return "has a $ where no variable is meant"
	}
	return isComment(s)
}

func isExpr(s string) string {
	for rest := s; ; {
		_, after, found := strings.Cut(rest, "$")
		if !found {
			return isComment(s)
		}
		if after == "" || !variableStart(after[0]) {
			return "has a $ that no variable's name follows"
		}
		rest = after
	}
}

// variableStart leaves digits out, and so the captures of regular expressions: $1 was the way into nginx's rewrite module
// (CVE-2026-42945).
func variableStart(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' }
