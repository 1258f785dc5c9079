package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
)

// findPrograms looks for everything the options need and names all that is missing at once.
func (l *Lab) findPrograms() error {
	var missing []string
	find := func(name, pkg string) string {
		path, err := lookPath(name)
		if err != nil {
			missing = append(missing, pkg)
		}
		return path
	}
	l.NginxBin = find("nginx", "nginx")
	l.CertbotBin = "/usr/bin/certbot"
	if l.opts.ACME {
		l.CertbotBin = find("certbot", "certbot")
		find("pebble", "pebble")
		find("pebble-challtestsrv", "pebble")
	}
	if len(missing) > 0 {
		return fmt.Errorf("not installed: apt-get install --no-install-recommends %s", strings.Join(slices.Compact(missing), " "))
	}
	if os.Geteuid() != 0 {
		return nil // nginx's workers cannot be anybody else then
	}
	// Workers that are not root, as on a real host: a webroot that they cannot read must fail here too.
	for _, name := range []string{"www-data", "nginx"} {
		if _, err := user.Lookup(name); err == nil {
			l.user = name
			return nil
		}
	}
	return errors.New("there is neither a user www-data nor nginx for nginx's workers")
}

// lookPath also looks where Debian puts nginx, which is in no ordinary user's PATH.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}
