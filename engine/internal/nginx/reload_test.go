package nginx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
)

func TestTheMastersComplaintSinceTheReloadIsFoundInTheLog(t *testing.T) {
	t.Parallel()
	const (
		stamp   = "2026/01/02 03:04:05 "
		bind    = stamp + "[emerg] 100#100: bind() to 0.0.0.0:80 failed (98: Address already in use)\n"
		unbound = stamp + "[emerg] 100#100: still could not bind()\n"
		unknown = stamp + "[emerg] 100#100: unknown directive \"x\" in /etc/nginx/a.conf:1\n"
	)
	for name, c := range map[string]struct{ before, since, want string }{
		"nothing":                        {"", "", ""},
		"notices, and somebody's errors": {"", stamp + "[notice] 100#100: signal process started\n" + stamp + "[error] 101#101: *1 upstream timed out\n", ""},
		"a directive":                    {"", unknown, `unknown directive "x" in /etc/nginx/a.conf:1`},
		"it is of before":                {unknown, stamp + "[notice] 100#100: reconfiguring\n", ""},
		"another master's":               {"", strings.ReplaceAll(unknown, "100#", "1001#"), ""},
		"a port, not yet given up":       {"", bind + bind, ""},
		"a port":                         {"", bind + bind + bind + bind + bind + unbound, "bind() to 0.0.0.0:80 failed (98: Address already in use)"},
		"a port, and no more of it":      {bind, unbound, "still could not bind()"},
		"a line that is still written":   {"", stamp + "[emerg] 100#100: unknown dir", "unknown dir"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			log := filepath.Join(t.TempDir(), "error.log")
			is.NoErr(os.WriteFile(log, []byte(c.before+c.since), 0o644))
			r := &reloading{master: 100, errorLog: log, offset: int64(len(c.before))}
			is.Equal(r.complaint(), c.want)
		})
	}
	is := is.New(t)
	is.Equal((&reloading{master: 100, errorLog: "/nowhere/error.log"}).complaint(), "")
	log := filepath.Join(t.TempDir(), "error.log")
	is.NoErr(os.WriteFile(log, []byte(unknown), 0o644))
	is.Equal((&reloading{master: 100, errorLog: log, offset: 1 << 20}).complaint(), "") // rotated meanwhile
}

func TestAReloadIsDoneWhenOnlyNewWorkersAccept(t *testing.T) {
	t.Parallel()
	r := &reloading{old: map[int]bool{1: true, 2: true}}
	for name, c := range map[string]struct {
		accepting map[int]bool
		want      bool
	}{
		"the old ones":         {map[int]bool{1: true, 2: true}, false},
		"old ones and new":     {map[int]bool{2: true, 3: true}, false},
		"none, for the moment": {map[int]bool{}, false},
		"new ones":             {map[int]bool{3: true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(r.settled(Workers{Accepting: c.accepting, Draining: []int{1}}), c.want)
		})
	}
}

func TestNobodyWaitsForEverForAReload(t *testing.T) {
	master := titled(t, masterTitle)
	log := filepath.Join(t.TempDir(), "error.log")
	synctest.Test(t, func(t *testing.T) { // the half minute takes no time
		is := is.New(t)
		r := &reloading{master: master, errorLog: log, patience: 30 * time.Second}
		begun := time.Now()
		err := r.Wait(t.Context())
		is.True(err != nil && strings.Contains(err.Error(), "did not put new workers in charge within 30s"))
		is.True(time.Since(begun) >= 30*time.Second && time.Since(begun) < 31*time.Second)

		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
		defer cancel()
		is.Equal(r.Wait(ctx), enough)

		r.master = nobody
		err = r.Wait(t.Context())
		is.True(err != nil && strings.Contains(err.Error(), "ended while it was reloading"))
	})
}
