package enginetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// layOut makes the lab's directories, all 0755 whatever the umask, as nginx's workers are another user.
func (l *Lab) layOut() error {
	dir, made, err := makeDir(l.opts.Dir)
	if err != nil {
		return err
	}
	l.Dir = dir
	// From here on nothing can be left behind: the keeper is there before what it keeps.
	if l.keeper, err = startKeeper(dir, made); err != nil {
		return err
	}
	in := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
	l.NginxConf, l.PIDFile = in("nginx", "nginx.conf"), in("nginx", "nginx.pid")
	l.ErrorLog, l.AccessLog = in("logs", "error.log"), in("logs", "access.log")
	l.ConfD, l.SitesAvailable, l.SitesEnabled = in("nginx", "conf.d"), in("nginx", "sites-available"), in("nginx", "sites-enabled")
	l.StateDir = in("state")
	l.CertbotConfigDir, l.CertbotWorkDir, l.CertbotLogsDir = in("certbot", "config"), in("certbot", "work"), in("certbot", "logs")
	l.CABundle = in("ca", "lab.pem")
	for _, d := range []string{
		in("nginx"), l.ConfD, l.SitesAvailable, l.SitesEnabled, in("nginx", "html"), in("nginx", "tmp"), in("logs"), in("ca"),
		l.StateDir, in("certbot"), l.CertbotConfigDir, l.CertbotWorkDir, l.CertbotLogsDir,
	} {
		if err := errors.Join(os.Mkdir(d, 0o755), os.Chmod(d, 0o755)); err != nil {
			return err
		}
	}
	return l.checkEnterable()
}

// makeDir returns the absolute path of the lab's directory and whether it was made for this lab alone.
func makeDir(dir string) (abs string, made bool, err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "enginetest-"); err != nil {
			return "", false, err
		}
		made = true
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", made, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", made, err
	}
	if len(entries) > 0 {
		return "", made, fmt.Errorf("%s is not empty: give a new directory", dir)
	}
	// MkdirTemp's 0700 would turn every challenge into a 403.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", made, err
	}
	abs, err = filepath.Abs(dir)
	return abs, made, err
}

// checkEnterable refuses a directory that nginx's workers cannot reach, which would otherwise show as an odd 403.
func (l *Lab) checkEnterable() error {
	if l.user == "" {
		return nil
	}
	for d := l.Dir; d != "/"; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("nginx's workers run as %s and cannot enter %s (mode %v): set TMPDIR or Options.Dir to another place",
				l.user, d, info.Mode().Perm())
		}
	}
	return nil
}
