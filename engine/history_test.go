package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestTheHistoryIsPrunedByAgeAndByNumber(t *testing.T) {
	now := time.Now()
	is, h := begin(t, enginetest.Options{}, func(o *engine.Options) {
		o.State.Keep, o.State.KeepApplies, o.Clock = time.Hour, 3, func() time.Time { return now }
	})
	put := func(size string) {
		t.Helper()
		now = now.Add(time.Second)
		h.put(unasked(t, "alpha", withBodySize(size)))
	}
	for _, size := range []string{"1m", "2m", "3m", "4m", "5m"} {
		put(size)
	}
	history, err := h.History()
	is.NoErr(err)
	is.Equal(len(history), 3)
	is.True(history[0].StartedAt.After(history[1].StartedAt)) // the newest first

	now = now.Add(2 * time.Hour)
	put("6m")
	history, err = h.History()
	is.NoErr(err)
	is.Equal(len(history), 1)
}

func TestADamagedEntryOfTheHistoryIsSkipped(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	res := h.put(unasked(t, "alpha"))
	other := h.put(unasked(t, "beta"))
	file := filepath.Join(h.StateDir, "history", res.ID)
	b, err := os.ReadFile(file)
	is.NoErr(err)
	b[len(b)/3] ^= 1
	is.NoErr(os.WriteFile(file, b, 0o600))

	history, err := h.History()
	is.NoErr(err)
	is.Equal(len(history), 1)
	is.Equal(history[0].ID, other.ID)
	before := h.Tree()
	_, err = h.Do(t.Context(), engine.Rollback(res.ID))
	is.True(err != nil)
	is.Equal(engine.OutcomeOf(err), engine.Untouched)
	_, err = h.Do(t.Context(), engine.Rollback("../../etc/passwd"))
	is.True(errors.Is(err, code(engine.NotFound)))
	is.Equal(h.Tree(), before)
}

func TestARollbackOfWhatChangedSinceIsRefused(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha"))
	res := h.put(route(t, "alpha", 2, unchecked))
	appendTo(t, h.SitesAvailable+"/fpai-alpha.conf", "# by hand\n")
	before := h.Tree()
	_, err := h.Do(t.Context(), engine.Rollback(res.ID))
	is.True(errors.Is(err, code(engine.StalePlan)))
	is.True(strings.Contains(err.Error(), "fpai-alpha.conf"))
	is.Equal(h.Tree(), before)
}

func TestARollbackLeavesWhatOtherRoutesShare(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	res := h.put(h.route("alpha"))
	h.put(h.route("beta"))
	_, err := h.Do(t.Context(), engine.Rollback(res.ID)) // the apply that brought the shared files along
	is.NoErr(err)
	is.Equal(h.page("beta.example.test"), "up\n")
	_, err = h.Route(t.Context(), "alpha")
	is.True(errors.Is(err, code(engine.ProxyNotFound)))
}
