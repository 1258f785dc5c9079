package host_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
)

// An observer remembers all that it was asked for, also what was not there: that is what a plan depends on.
func ExampleObserver() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	o := host.NewObserver(host.OS{}, host.NewCache(time.Now))
	hosts, err := o.State(filepath.Join(dir, "hosts"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hosts.Exists)
	for _, f := range o.Fingerprints() {
		fmt.Println(filepath.Base(f.Path), f.State)
	}
	// Output:
	// false
	// hosts absent
}
