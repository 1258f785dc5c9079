package cli_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestAdoptListsByLineWhatWouldBeLostAndAsksForItsAcceptance(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	site := func(more string) {
		is.NoErr(h.Site("old.conf", fmt.Sprintf("server {\n listen %d;\n server_name old.example.test;\n %s\n location / { proxy_pass http://127.0.0.1:%d; proxy_set_header Host $host; }\n}\n",
			h.HTTPPort, more, h.Upstream("up").Port())))
		is.NoErr(h.ReloadNginx())
	}
	adopt := []string{"adopt", filepath.Join(h.SitesAvailable, "old.conf"), "--as", "old", "--auto-approve"}

	site("deny all;")
	before := h.Tree()
	got := h.run(append(adopt, "--accept-losses")...)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "line 4: deny all: the route would be open to all"))
	is.True(strings.Contains(got.stderr, "ADOPTION_REFUSED"))
	is.Equal(h.Tree().Diff(before), "")

	site("gzip on;")
	before = h.Tree()
	got = h.run(adopt...)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "line 4: gzip on"))
	is.True(strings.Contains(got.stderr, "--accept-losses"))
	is.Equal(h.Tree().Diff(before), "")

	got = h.must(append(adopt, "--accept-losses")...)
	is.True(strings.Contains(got.stdout+got.stderr, "old.conf:4: not kept: gzip on"))
	page, err := h.Get("old.example.test", "/name")
	is.NoErr(err)
	is.Equal(page.Body, "up\n")
}
