package host

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
)

func TestSyncLater(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	_, err := OS{}.SyncLater(filepath.Join(dir, "nothing"))
	is.True(err != nil)
	sync, err := OS{}.SyncLater(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("not on this kernel")
	}
	is.NoErr(err)
	is.NoErr(os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600))
	is.NoErr(sync())
	is.True(sync() != nil) // it serves once
}

func TestReleaseTells(t *testing.T) {
	for release, want := range map[string]bool{
		"6.1.0-18-amd64": true, "5.8.0": true, "5.10": true, "5.10.0-28-cloud-amd64": true, "6.6.87.2-microsoft-standard-WSL2": true,
		"5.7.19": false, "4.19.0-27-amd64": false, "": false, "linux": false, "-": false, "..": false,
	} {
		if got := releaseTells(release); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
}
