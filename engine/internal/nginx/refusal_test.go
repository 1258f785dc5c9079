package nginx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

func TestNginxsComplaintIsFoundInItsWords(t *testing.T) {
	t.Parallel()
	const failed = "nginx: configuration file /etc/nginx/nginx.conf test failed\n"
	for name, c := range map[string]struct {
		out, reason, file string
		line              int
	}{
		"a directive with its place": {
			"nginx: [emerg] unknown directive \"nonsense\" in /etc/nginx/sites-enabled/a.conf:3\n" + failed,
			`unknown directive "nonsense"`, "/etc/nginx/sites-enabled/a.conf", 3,
		},
		"a complaint that says in itself": {
			"nginx: [emerg] host not found in upstream \"nowhere.example\" in /etc/nginx/sites-enabled/a.conf:12\n" + failed,
			`host not found in upstream "nowhere.example"`, "/etc/nginx/sites-enabled/a.conf", 12,
		},
		"two default servers": {
			"nginx: [emerg] a duplicate default server for 0.0.0.0:80 in /etc/nginx/sites-enabled/zz.conf:1\n" + failed,
			"a duplicate default server for 0.0.0.0:80", "/etc/nginx/sites-enabled/zz.conf", 1,
		},
		"a certificate, which has no place": {
			"nginx: [emerg] cannot load certificate \"/etc/letsencrypt/live/a/fullchain.pem\": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/etc/letsencrypt/live/a/fullchain.pem, r) error:10000080:BIO routines::no such file)\n" + failed,
			`cannot load certificate "/etc/letsencrypt/live/a/fullchain.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/etc/letsencrypt/live/a/fullchain.pem, r) error:10000080:BIO routines::no such file)`, "", 0,
		},
		"warnings before it": {
			"nginx: [warn] the \"listen ... http2\" directive is deprecated, use the \"http2\" directive instead in /etc/nginx/sites-enabled/a.conf:2\n" +
				"nginx: [warn] conflicting server name \"a.example\" on 0.0.0.0:80, ignored\n" +
				"nginx: [emerg] unexpected end of file, expecting \"}\" in /etc/nginx/sites-enabled/b.conf:9\n" + failed,
			`unexpected end of file, expecting "}"`, "/etc/nginx/sites-enabled/b.conf", 9,
		},
		"an alert before it": {
			"nginx: [alert] could not open error log file: open() \"/var/log/nginx/error.log\" failed (13: Permission denied)\n" +
				"2026/01/02 03:04:05 [emerg] 12#12: \"server\" directive is not allowed here in /etc/nginx/nginx.conf:7\n" + failed,
			`"server" directive is not allowed here`, "/etc/nginx/nginx.conf", 7,
		},
		"a log's line, with pid and thread": {
			"2026/01/02 03:04:05 [emerg] 12#12: open() \"/run/nginx.pid\" failed (13: Permission denied)\n" + failed,
			`open() "/run/nginx.pid" failed (13: Permission denied)`, "", 0,
		},
		"warnings alone": {
			"nginx: [warn] conflicting server name \"a.example\" on 0.0.0.0:80, ignored\n",
			"nginx refuses the configuration", "", 0,
		},
		"not a word": {"", "nginx refuses the configuration", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := parseTestOutput(c.out)
			is.Equal(*r, Refusal{Output: strings.TrimSpace(c.out), Reason: c.reason, File: c.file, Line: c.line})
			is.True(strings.Contains(r.Error(), c.reason))
			is.True(c.file == "" || strings.HasPrefix(r.Error(), c.file+":")) // as compilers say it
		})
	}
}

// The same, of the nginx that is installed, so that a version with other words is noticed.
func TestAConfigurationIsTested(t *testing.T) {
	t.Parallel()
	const bin = "/usr/sbin/nginx"
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("nginx is not there (apt-get install nginx): %v", err)
	}
	for name, c := range map[string]struct {
		http, reason string
		line         int // 0: no place
	}{
		"nothing is wrong":        {"server { listen 127.0.0.1:8099; }", "", 0},
		"a warning":               {"server { listen 127.0.0.1:8099; server_name a; }\nserver { listen 127.0.0.1:8099; server_name a; }", "", 0},
		"an unknown directive":    {"\nnonsense on;", `unknown directive "nonsense"`, 3},
		"no end":                  {"server {", `unexpected end of file, expecting "}"`, 4},
		"two default servers":     {"server { listen 127.0.0.1:8099 default_server; }\nserver { listen 127.0.0.1:8099 default_server; }", "a duplicate default server for 127.0.0.1:8099", 3},
		"a certificate is gone":   {"server { listen 127.0.0.1:8099 ssl; ssl_certificate /nowhere.pem; ssl_certificate_key /nowhere.key; }", `cannot load certificate "/nowhere.pem"`, 0},
		"an include of no file":   {"include /nowhere.conf;", `open() "/nowhere.conf" failed (2: No such file or directory)`, 2},
		"an unknown variable":     {"server { listen 127.0.0.1:8099; return 200 $nonsense; }", `unknown "nonsense" variable`, 0},
		"two upstreams of a name": {"upstream u { server 127.0.0.1:1; }\nupstream u { server 127.0.0.1:2; }", `duplicate upstream "u"`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			dir := t.TempDir()
			conf := filepath.Join(dir, "nginx.conf")
			is.NoErr(os.WriteFile(conf, []byte("pid "+dir+"/pid; error_log "+dir+"/log; events {} http { access_log off;\n"+c.http+"\n}\n"), 0o644))
			err := New(bin, conf, time.Minute).Test(t.Context())
			if c.reason == "" {
				is.NoErr(err)
				return
			}
			r, ok := errors.AsType[*Refusal](err)
			is.True(ok)
			is.True(strings.HasPrefix(r.Reason, c.reason)) // r
			is.Equal(r.Line, c.line)
			is.Equal(r.File != "", c.line != 0)
			is.True(r.File == "" || r.File == conf)
		})
	}
}

func TestATestThatCouldNotBeMadeIsNoRefusal(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	refusal := func(err error) bool { _, ok := errors.AsType[*Refusal](err); return ok }
	err := New("/nowhere/nginx", "", time.Minute).Test(t.Context())
	is.True(err != nil && !refusal(err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = New("/bin/false", "", time.Minute).Test(ctx)
	is.True(errors.Is(err, context.Canceled) && !refusal(err))
	is.True(refusal(New("/bin/false", "", time.Minute).Test(t.Context()))) // its exit code is what counts
}
