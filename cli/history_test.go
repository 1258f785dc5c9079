package cli_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestTheBeginningOfAnIDOrTheWordLastNamesAnApplyOfThePast(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.applied("alpha")
	before := h.Tree()
	h.must(put("beta", port, "--enable-ssl=false")...)
	after := h.Tree()
	type entry struct{ ID, Operation, Result string }
	entries := decode[[]entry](t, h.must("history", "--json").stdout)
	is.Equal(len(entries), 2)

	is.Equal(decode[entry](t, h.must("history", "last", "--json").stdout), entries[0])
	is.Equal(decode[entry](t, h.must("history", entries[1].ID, "--json").stdout), entries[1])
	beginning := entries[0].ID[:len(entries[0].ID)-1]
	is.Equal(decode[entry](t, h.must("history", beginning, "--json").stdout), entries[0])
	is.True(strings.Contains(h.must("history", beginning).stdout, entries[0].ID))

	several := h.run("rollback", entries[0].ID[:4], "--auto-approve") // the year
	is.Equal(several.code, 1)
	is.True(strings.Contains(several.stderr, entries[0].ID) && strings.Contains(several.stderr, entries[1].ID))
	none := h.run("rollback", "nothing", "--auto-approve")
	is.Equal(none.code, 1)
	is.True(strings.Contains(none.stderr, "NOT_FOUND"))
	is.Equal(h.Tree().Diff(after), "")

	h.must("rollback", beginning, "--auto-approve")
	is.Equal(h.Tree().Diff(before), "")
	h.must("rollback", "last", "--auto-approve") // of the rollback
	is.Equal(h.Tree().Diff(after), "")
}
