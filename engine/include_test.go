package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// include has nginx.conf include a pattern in its http block, and returns the directory that nginx.conf is in.
func (h *realHost) include(pattern string) (dir string) {
	h.t.Helper()
	b, err := os.ReadFile(h.NginxConf)
	if err != nil {
		h.t.Fatal(err)
	}
	text := strings.Replace(string(b), "http {", "http {\n    include "+pattern+";", 1)
	if err := os.WriteFile(h.NginxConf, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return filepath.Dir(h.NginxConf)
}

func TestASiteWithTheSameNameIsFoundWhereverNginxIncludesItFrom(t *testing.T) {
	for _, c := range []struct{ name, pattern, file string }{
		{"a negated bracket", `extra.d/[!_]*.conf`, "extra.d/hand.conf"},
		{"a hidden file", `extra.d/.*.conf`, "extra.d/.hand.conf"},
		{"a directory by a pattern", `*.d/h?nd.conf`, "extra.d/hand.conf"},
		{"a class", `extra.d/[[:alpha:]]*`, "extra.d/hand"},
		{"a quoted pattern with an escape", `"extra.d/h\"*.conf"`, `extra.d/h"nd.conf`},
		{"braces, which are none", `'extra.d/{a,b}*.conf'`, "extra.d/{a,b}.conf"},
		{"a path", `extra.d/hand.conf`, "extra.d/hand.conf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			is, h := begin(t, enginetest.Options{})
			dir := h.include(c.pattern)
			is.NoErr(os.Mkdir(dir+"/extra.d", 0o755))
			is.NoErr(os.WriteFile(dir+"/"+c.file, fmt.Appendf(nil, "server { listen %d; server_name alpha.example.test; return 200 hand; }\n", h.HTTPPort), 0o644))
			is.NoErr(h.TestConfig(t.Context()))
			is.NoErr(h.ReloadNginx())
			is.Equal(h.page("alpha.example.test"), "hand") // nginx includes it
			_, err := h.Do(t.Context(), engine.Put(h.route("alpha")))
			is.True(errors.Is(err, code(engine.DomainConflict)))
			is.True(strings.Contains(err.Error(), dir+"/"+c.file+":1"))
			h.put(h.route("beta"))
		})
	}
}

func TestWhatNginxDoesNotIncludeIsNoConflict(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	dir := h.include(`extra.d/[!_]*.conf`)
	is.NoErr(os.Mkdir(dir+"/extra.d", 0o755))
	h.put(h.route("other")) // a pattern without matches is fine
	for _, name := range []string{"_hand.conf", ".hand.conf", "hand.conf.bak"} {
		is.NoErr(os.WriteFile(dir+"/extra.d/"+name, []byte("server { server_name alpha.example.test; }\n"), 0o644))
	}
	h.put(h.route("alpha"))
	is.Equal(h.page("alpha.example.test"), "up\n")
}
