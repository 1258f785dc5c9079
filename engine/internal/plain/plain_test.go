package plain_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/matryer/is"
)

func TestForeignTextBecomesOneLineThatATerminalCanBear(t *testing.T) {
	for _, c := range []struct{ name, text, line string }{
		{"lines and tabs", "first\n\tsecond \r\n third.\n", "first second third"},
		{"colours and bells", "red\x1b[31m alert\a", "red [31m alert"},
		{"nothing", " \n", ""},
		{"three hundred characters", strings.Repeat("ü", 300), strings.Repeat("ü", 300)},
		{"more than that", strings.Repeat("ü", 301), strings.Repeat("ü", 300) + "…"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(plain.Line(c.text), c.line)
		})
	}
}

func TestAServersErrorIsToldInItsInnermostWords(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: "http://127.0.0.1:1/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}
	for _, c := range []struct {
		name string
		err  error
		text string
	}{
		{"a refused connection", refused, "connection refused"},
		{"one without a cause", errors.New("no"), "no"},
		{"a server's own words", fmt.Errorf("net/http: malformed HTTP response %q", "SSH-2.0"), "its answer is no HTTP"},
		{"a long story", errors.New(strings.Repeat("x", 121)), "its answer is no HTTP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(plain.NetError(c.err), c.text)
		})
	}
}
