package host

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/hashicorp/go-version"
)

// SyncLater is syncfs(2).
func (OS) SyncLater(dir string) (sync func() error, err error) {
	if !syncfsTells() {
		return nil, errors.ErrUnsupported
	}
	// What fails is told to those who have had the directory open meanwhile.
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return func() error {
		_, _, errno := syscall.Syscall(sysSyncfs, d.Fd(), 0, 0)
		err := d.Close()
		if errno != 0 {
			return &os.PathError{Op: "syncfs", Path: dir, Err: errno}
		}
		return err
	}, nil
}

// syncfsTells reports whether the kernel's syncfs fails where something could not be written: since Linux 5.8, says its
// manual page.
var syncfsTells = sync.OnceValue(func() bool {
	var name syscall.Utsname
	if sysSyncfs == 0 || syscall.Uname(&name) != nil {
		return false
	}
	release := make([]byte, 0, len(name.Release))
	for _, c := range name.Release {
		release = append(release, byte(c))
	}
	return releaseTells(string(bytes.TrimRight(release, "\x00")))
})

// releaseTells takes a kernel's release, such as 6.1.0-18-amd64.
func releaseTells(release string) bool {
	end := strings.IndexFunc(release, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(release)
	}
	v, err := version.NewVersion(strings.Trim(release[:end], "."))
	return err == nil && v.GreaterThanOrEqual(version.Must(version.NewVersion("5.8")))
}
