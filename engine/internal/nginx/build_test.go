package nginx

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
	"github.com/matryer/is"
)

func TestWhatAnNginxSaysOfItselfIsRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		out     string
		version string
		openssl string // empty for none
		build   Build  // its paths
	}{
		"1.18, Debian 11's": {
			`nginx version: nginx/1.18.0
built with OpenSSL 1.1.1k  25 Mar 2021 (running with OpenSSL 1.1.1w  11 Sep 2023)
TLS SNI support enabled
configure arguments: --with-cc-opt='-g -O2 -ffile-prefix-map=/build/nginx-x=. -fPIC' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --http-log-path=/var/log/nginx/access.log --error-log-path=/var/log/nginx/error.log --lock-path=/var/lock/nginx.lock --pid-path=/run/nginx.pid --modules-path=/usr/lib/nginx/modules`,
			"1.18.0", "1.1.1",
			Build{Prefix: "/usr/share/nginx", Conf: "/etc/nginx/nginx.conf", PIDFile: "/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log"},
		},
		"1.18, Ubuntu's": {
			"nginx version: nginx/1.18.0 (Ubuntu)\nbuilt with OpenSSL 3.0.2 15 Mar 2022\nconfigure arguments: --prefix=/usr/share/nginx\n",
			"1.18.0", "3.0.2",
			Build{Prefix: "/usr/share/nginx", Conf: "/usr/share/nginx/conf/nginx.conf", PIDFile: "/usr/share/nginx/logs/nginx.pid", ErrorLog: "/usr/share/nginx/logs/error.log"},
		},
		"1.22, Debian 12's, which logs to its standard error": {
			`nginx version: nginx/1.22.1
built with OpenSSL 3.0.22 25 Aug 2026 (running with OpenSSL 3.0.19 27 Jan 2026)
TLS SNI support enabled
configure arguments: --with-ld-opt='-Wl,-z,relro -Wl,-z,now -fPIC' --prefix=/usr/share/nginx --conf-path=/etc/nginx/nginx.conf --http-log-path=/var/log/nginx/access.log --error-log-path=stderr --pid-path=/run/nginx.pid`,
			"1.22.1", "3.0.19", // the one that runs
			Build{Prefix: "/usr/share/nginx", Conf: "/etc/nginx/nginx.conf", PIDFile: "/run/nginx.pid", ErrorLog: "stderr"},
		},
		"1.26, of nginx's own packages": {
			`nginx version: nginx/1.26.3
built by gcc 12.2.0 (Debian 12.2.0-14)
built with OpenSSL 3.0.15 3 Sep 2024
TLS SNI support enabled
configure arguments: --prefix=/etc/nginx --sbin-path=/usr/sbin/nginx --modules-path=/usr/lib/nginx/modules --conf-path=/etc/nginx/nginx.conf --error-log-path=/var/log/nginx/error.log --http-log-path=/var/log/nginx/access.log --pid-path=/var/run/nginx.pid --user=nginx`,
			"1.26.3", "3.0.15",
			Build{Prefix: "/etc/nginx", Conf: "/etc/nginx/nginx.conf", PIDFile: "/var/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log"},
		},
		"1.30, with a newer OpenSSL": {
			"nginx version: nginx/1.30.1\nbuilt with OpenSSL 3.5.1 1 Jul 2025 (running with OpenSSL 3.5.4 30 Sep 2025)\nconfigure arguments: --prefix=/etc/nginx --conf-path=/etc/nginx/nginx.conf --error-log-path=/var/log/nginx/error.log --pid-path=/run/nginx.pid\n",
			"1.30.1", "3.5.4",
			Build{Prefix: "/etc/nginx", Conf: "/etc/nginx/nginx.conf", PIDFile: "/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log"},
		},
		"one that was compiled by hand, with nothing": {
			"nginx version: nginx/1.27.0\nbuilt by gcc 13.2.0\nconfigure arguments:\n",
			"1.27.0", "",
			Build{Prefix: "/usr/local/nginx", Conf: "/usr/local/nginx/conf/nginx.conf", PIDFile: "/usr/local/nginx/logs/nginx.pid", ErrorLog: "/usr/local/nginx/logs/error.log"},
		},
		"one with paths below its prefix": {
			"nginx version: openresty/1.25.3.1\nbuilt with LibreSSL 3.8.2\nconfigure arguments: --prefix=/opt/nginx --conf-path=etc/nginx.conf --pid-path=/run/n.pid --error-log-path=log/error.log\n",
			"1.25.3", "",
			Build{Prefix: "/opt/nginx", Conf: "/opt/nginx/etc/nginx.conf", PIDFile: "/run/n.pid", ErrorLog: "/opt/nginx/log/error.log"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			b, err := parseBuild(c.out)
			is.NoErr(err)
			is.Equal(b.Version.String(), c.version)
			if c.openssl == "" {
				is.True(b.OpenSSL == nil)
			} else {
				is.Equal(b.OpenSSL.String(), c.openssl)
			}
			c.build.Version, c.build.OpenSSL = b.Version, b.OpenSSL
			is.Equal(*b, c.build)
		})
	}
}

func TestAProgramThatIsNoNginxIsNone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	for _, out := range []string{"", "Apache/2.4", "nginx version: nginx", "nginx version: nginx/next"} {
		_, err := parseBuild(out)
		is.True(err != nil) // out
	}
	_, err := New("/bin/echo", "", time.Minute).Build(t.Context())
	is.True(err != nil)
	_, err = New("/bin/false", "", time.Minute).Build(t.Context())
	is.True(err != nil && !errors.Is(err, ErrMissing)) // it is there, and not well
	_, err = New("/nowhere/nginx", "", time.Minute).Build(t.Context())
	is.True(errors.Is(err, ErrMissing))
}

func TestANginxIsAskedAgainOnlyWhenItHasChanged(t *testing.T) {
	is := is.New(t)
	bin := filepath.Join(t.TempDir(), "nginx")
	install := func(version string) {
		t.Helper()
		// By another name and renamed, by a program of its own: a file that a fork of this one has open can't be run.
		script := "#!/bin/sh\necho asked >>" + bin + ".asked\necho 'nginx version: nginx/" + version + "'\n"
		is.NoErr(exec.Command("/bin/sh", "-c", `printf %s "$1" >"$2.new" && chmod 755 "$2.new" && mv "$2.new" "$2"`, "sh", script, bin).Run())
	}
	install("1.22.1")
	n := New(bin, "", time.Minute)
	for _, want := range []string{"1.22.1", "1.22.1", "1.26.30"} {
		if want == "1.26.30" {
			install(want)
		}
		b, err := n.Build(t.Context())
		is.NoErr(err)
		is.Equal(b.Version.String(), want)
	}
	asked, err := os.ReadFile(bin + ".asked")
	is.NoErr(err)
	is.Equal(string(asked), "asked\nasked\n")
}

func TestTheConfigurationSaysWhereTheRunningNginxKeepsItsPIDAndItsLog(t *testing.T) {
	t.Parallel()
	b := &Build{Prefix: "/usr/share/nginx", Conf: "/etc/nginx/nginx.conf", PIDFile: "/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log"}
	compiledIn := Paths{PIDFile: "/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log"}
	for name, c := range map[string]struct {
		conf string
		want Paths
	}{
		"nothing said":                  {"events {}", compiledIn},
		"both said":                     {"pid /run/n.pid; error_log /srv/log warn;", Paths{"/run/n.pid", "/srv/log"}},
		"below the prefix":              {"pid n.pid; error_log logs/e.log;", Paths{"/usr/share/nginx/n.pid", "/usr/share/nginx/logs/e.log"}},
		"to where nobody can read it":   {"error_log syslog:server=unix:/dev/log; error_log stderr;", compiledIn},
		"to two files":                  {"error_log /one; error_log /two;", Paths{"/run/nginx.pid", "/two"}},
		"for the virtual hosts alone":   {"http { error_log /srv/log; server { error_log /srv/other; } }", compiledIn},
		"without a value, half written": {"pid; error_log;", compiledIn},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			conf, err := nginxconf.Parse("nginx.conf", []byte(c.conf))
			is.NoErr(err)
			is.Equal(b.Paths(conf), c.want)
		})
	}
	is := is.New(t)
	is.Equal(New("nginx", "", 0).ConfPath(b), "/etc/nginx/nginx.conf")
	is.Equal(New("nginx", "/srv/nginx.conf", 0).ConfPath(b), "/srv/nginx.conf")
}
