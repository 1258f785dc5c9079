package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

func TestNothingIsChangedBelowADirectoryThatOthersCanWrite(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	h.put(unasked(t, "alpha"))
	for _, dir := range []string{
		filepath.Dir(h.SitesAvailable), filepath.Dir(h.NginxConf), h.StateDir + "/journal", h.StateDir + "/history", h.StateDir + "/kept",
		h.Webroot(), h.Webroot() + "/.well-known/acme-challenge",
	} {
		info, err := os.Stat(dir)
		is.NoErr(err)
		is.NoErr(os.Chmod(dir, 0o777))
		before := h.Tree()
		_, err = h.Do(t.Context(), engine.Put(unasked(t, "beta")))
		is.True(errors.Is(err, code(engine.ConfigWriteFailed)))
		is.True(strings.Contains(err.Error(), dir)) // which one
		is.Equal(h.Tree(), before)
		is.NoErr(os.Chmod(dir, info.Mode().Perm()))
	}
	h.put(unasked(t, "beta"))
}

// A journal is carried out: whoever can write one could have any file replaced.
func TestAJournalThatMayBeSomebodyElsesIsNotBelieved(t *testing.T) {
	is, h := begin(t, enginetest.Options{})
	res := h.put(unasked(t, "alpha"))
	past := filepath.Join(h.StateDir, "history", res.ID)
	spoil := map[string]func(path string) error{
		"one that others can write": func(path string) error { return os.Chmod(path, 0o666) },
		"somebody else's":           func(path string) error { return os.Chown(path, 65534, 65534) },
	}
	if os.Getuid() != 0 {
		delete(spoil, "somebody else's") // only root can give a file away
	}
	for name, f := range spoil {
		t.Run(name, func(t *testing.T) {
			is.NoErr(f(past))
			before := h.Tree()
			_, err := h.Do(t.Context(), engine.Rollback(res.ID))
			is.True(err != nil)
			is.Equal(h.Tree(), before)

			planted := filepath.Join(h.StateDir, "journal", res.ID)
			is.NoErr(os.Rename(past, planted))
			before = h.Tree()
			_, err = h.Recover(t.Context())
			is.Equal(engine.OutcomeOf(err), engine.NeedsRecovery)
			is.True(strings.Contains(err.Error(), planted))
			is.Equal(h.Tree(), before)
			is.NoErr(os.Rename(planted, past))
			is.NoErr(os.Chmod(past, 0o600))
			is.NoErr(os.Chown(past, os.Getuid(), os.Getgid()))
		})
	}
	_, err := h.Do(t.Context(), engine.Rollback(res.ID))
	is.NoErr(err)
}

func TestCertbotIsNotRunWhereOthersCanWriteItsSettings(t *testing.T) {
	is, h := begin(t, enginetest.Options{ACME: true})
	is.NoErr(os.MkdirAll(h.CertbotConfigDir, 0o755))
	is.NoErr(os.Chmod(h.CertbotConfigDir, 0o777))
	_, err := h.apply(h.httpsRoute("shop"))
	is.True(errors.Is(err, code(engine.SSLIssuanceFailed)))
	is.Equal(reason(err), "permissions")
	is.Equal(h.lineages("live", "renewal", "accounts"), nil)
	is.NoErr(os.Chmod(h.CertbotConfigDir, 0o755))
	_, err = h.apply(h.httpsRoute("shop"))
	is.NoErr(err)
}
