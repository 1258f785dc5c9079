package nginxconf_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

func TestWriterRefusesWhatNoQuotesMakeSafe(t *testing.T) {
	for name, write := range map[string]func(*nginxconf.Writer){
		"a line break":                       func(w *nginxconf.Writer) { w.Directive("a", "x\ny") },
		"a carriage return":                  func(w *nginxconf.Writer) { w.Directive("a", "x\ry") },
		"a NUL":                              func(w *nginxconf.Writer) { w.Directive("a", "x\x00y") },
		"a tab":                              func(w *nginxconf.Writer) { w.Directive("a", "x\ty") },
		"DEL":                                func(w *nginxconf.Writer) { w.Directive("a", "x\x7fy") },
		"the Kelvin sign":                    func(w *nginxconf.Writer) { w.Directive("a", "\u212a") },
		"a variable where none is meant":     func(w *nginxconf.Writer) { w.Directive("a", "$host") },
		"a dollar at the end":                func(w *nginxconf.Writer) { w.Directive("a", "x$") },
		"a capture":                          func(w *nginxconf.Writer) { w.Expand("a", "$1") },
		"a dollar that no name follows":      func(w *nginxconf.Writer) { w.Expand("a", "a$") },
		"a variable in braces":               func(w *nginxconf.Writer) { w.Expand("a", "${host}") },
		"a variable brought in by data":      func(w *nginxconf.Writer) { w.Expand("a", nginxconf.Join("$arg_x", "$host")) },
		"a line break in an expression":      func(w *nginxconf.Writer) { w.Expand("a", nginxconf.Join("x\n", "$host")) },
		"a dollar in a regular expression":   func(w *nginxconf.Writer) { w.Exact("a", "x$y") },
		"a line break in a comment":          func(w *nginxconf.Writer) { w.Comment("x\nload_module y;") },
		"a name with a space":                func(w *nginxconf.Writer) { w.Directive("a b") },
		"a name with a semicolon":            func(w *nginxconf.Writer) { w.Block("a;b", nil, func() {}) },
		"the empty name":                     func(w *nginxconf.Writer) { w.Directive("") },
		"a line break in a block's argument": func(w *nginxconf.Writer) { w.Block("a", []string{"\n"}, func() {}) },
		"a wrong argument inside a block": func(w *nginxconf.Writer) {
			w.Block("a", nil, func() { w.Directive("b", "$x"); w.Directive("c") })
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var w nginxconf.Writer
			w.Directive("before")
			write(&w)
			w.Directive("after")
			b, err := w.Bytes()
			var refused *nginxconf.RefusedError
			is.True(errors.As(err, &refused))
			is.Equal(len(b), 0) // nothing of a refused text gets out
		})
	}
}

func TestWriterQuotesWhatNginxWouldReadOtherwise(t *testing.T) {
	is := is.New(t)
	var w nginxconf.Writer
	w.Directive("a", "", "x y", `q"q`, `b\b`, `b\`, "s;s", "{", "}", "#", "'", `\n`)
	w.Expand("b", nginxconf.Join("https://a.example.com:8443", "$request_uri"))
	w.Exact("c", "a.example.com", "(x){2}|y")
	b, err := w.Bytes()
	is.NoErr(err)
	is.Equal(string(b), `a "" "x y" "q\"q" "b\\b" "b\\" "s;s" "{" "}" "#" "'" "\\n";
b https://a.example.com:8443$request_uri;
c "~^a\\.example\\.com$" "~^\\(x\\)\\{2\\}\\|y$";
`)
}

// TestWhatIsWrittenIsReadBack writes random trees, with arguments made of everything that means something to nginx.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		is := is.New(t)
		var w nginxconf.Writer
		want := randomTree(rnd, &w, 0)
		text, err := w.Bytes()
		is.NoErr(err)
		got, err := nginxconf.Parse("x.conf", text)
		is.NoErr(err)
		is.Equal(outline(got), outline(want))
	}
}

func randomTree(rnd *rand.Rand, w *nginxconf.Writer, depth int) []nginxconf.Directive {
	ds := []nginxconf.Directive{}
	for range rnd.IntN(5) {
		d := nginxconf.Directive{Name: []string{"listen", "server", "a_1"}[rnd.IntN(3)]}
		for range rnd.IntN(4) {
			d.Args = append(d.Args, randomText(rnd))
		}
		if depth < 4 && rnd.IntN(3) == 0 {
			w.Block(d.Name, d.Args, func() { d.Block = randomTree(rnd, w, depth+1) })
		} else {
			w.Directive(d.Name, d.Args...)
		}
		if rnd.IntN(4) == 0 {
			w.Comment("a comment; with } and { and \" " + randomText(rnd))
			w.Blank()
		}
		ds = append(ds, d)
	}
	return ds
}

func randomText(rnd *rand.Rand) string {
	const alphabet = " ;{}\"'\\#ntr~^*.:/=abc0()|[]%&<>`@!?+,-_"
	b := make([]byte, rnd.IntN(8))
	for i := range b {
		b[i] = alphabet[rnd.IntN(len(alphabet))]
	}
	return string(b)
}

// outline shows a tree without its places.
func outline(ds []nginxconf.Directive) string {
	var b strings.Builder
	for _, d := range ds {
		fmt.Fprintf(&b, "%s %q", d.Name, d.Args)
		if d.Block != nil {
			fmt.Fprintf(&b, " {%s}", outline(d.Block))
		}
		b.WriteString("; ")
	}
	return b.String()
}

func ExampleWriter() {
	domain := "example.com" // from a request, checked before
	var w nginxconf.Writer
	w.Block("server", nil, func() {
		w.Directive("listen", "80")
		w.Directive("server_name", domain)
		w.Expand("return", "301", nginxconf.Join("https://"+domain, "$request_uri"))
	})
	text, err := w.Bytes()
	if err != nil {
		fmt.Println(err)
		return
	}
	os.Stdout.Write(text)
	// Output:
	// server {
	//     listen 80;
	//     server_name example.com;
	//     return 301 https://example.com$request_uri;
	// }
}

func ExampleWriter_refused() {
	var w nginxconf.Writer
	w.Directive("server_name", "example.com;\nload_module /tmp/x.so")
	_, err := w.Bytes()
	fmt.Println(err)
	// Output: nginx directive "server_name": argument "example.com;\nload_module /tmp/x.so" has the byte 10, which is not printable ASCII
}
