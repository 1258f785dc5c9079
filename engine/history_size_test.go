package engine

import (
	"fmt"
	"path"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/matryer/is"
)

// A whole state that changes one of many routes leaves an entry that tells of that one.
func TestASmallChangeAmongManyRoutesHasASmallEntryInTheHistory(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	e := h.open(t)
	routes := make([]resources.Route, 500)
	for i := range routes {
		routes[i] = memoryRoute(t, fmt.Sprintf("r%05d", i))
	}
	_, err := e.Do(t.Context(), apply(routes...))
	is.NoErr(err)
	routes[7] = memoryRoute(t, "r00007", withPort(9000))
	res, err := e.Do(t.Context(), apply(routes...))
	is.NoErr(err)
	info, err := h.disk.Lstat(path.Join(h.state, "history", res.ID))
	is.NoErr(err)
	t.Logf("%d bytes", info.Size())
	is.True(info.Size() < 16<<10)

	entry, err := e.journals.Entry(res.ID)
	is.NoErr(err)
	is.Equal(len(entry.Changes), 1)
	is.Equal(entry.Summary.Update, 1)
	is.True(entry.Summary.Unchanged >= 499) // counted all the same
}

func TestTheHistoryIsPrunedBySizeAndKeepsItsNewestApply(t *testing.T) {
	is := is.New(t)
	h := newMemoryHost(t)
	e := h.open(t)
	var last string
	for port := range 6 {
		res, err := e.Do(t.Context(), apply(memoryRoute(t, "shop", withPort(9000+port))))
		is.NoErr(err)
		last = res.ID
	}
	all, err := e.History()
	is.NoErr(err)
	is.Equal(len(all), 6)
	info, err := h.disk.Lstat(path.Join(h.state, "history", last))
	is.NoErr(err)

	for _, c := range []struct {
		bytes int64
		kept  int
	}{{3*info.Size() + 100, 3}, {1, 1}} {
		e.opts.State.KeepBytes = c.bytes
		e.prune()
		left, err := e.History()
		is.NoErr(err)
		is.Equal(len(left), c.kept)
		is.Equal(left[0].ID, last)
	}
}
