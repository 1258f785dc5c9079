package enginetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"
)

// What Debian's nginx.conf has, without what only a system service needs. All paths are absolute, as the product
// passes -c and no prefix.
var nginxConf = template.Must(template.New("nginx.conf").Parse(`{{with .User}}user {{.}};
{{end}}worker_processes {{.Workers}};
pid {{.PIDFile}};
error_log {{.ErrorLog}};

events {
    worker_connections 1024;
}

http {
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    {{with .MimeTypes}}include {{.}};{{end}}
    default_type application/octet-stream;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log {{.AccessLog}};
    client_body_temp_path {{.Dir}}/nginx/tmp/body;
    proxy_temp_path {{.Dir}}/nginx/tmp/proxy;
    fastcgi_temp_path {{.Dir}}/nginx/tmp/fastcgi;
    uwsgi_temp_path {{.Dir}}/nginx/tmp/uwsgi;
    scgi_temp_path {{.Dir}}/nginx/tmp/scgi;

    # The lab's own, never on the ports of the sites: is nginx up, and which worker answers?
    server {
        listen 127.0.0.1:{{.StatusPort}};
        access_log off;
        location = /status { stub_status; }
        location = /worker { default_type text/plain; return 200 "$pid\n"; }
    }

    include {{.ConfD}}/*.conf;
    include {{.SitesEnabled}}/{{.Glob}};
}
`))

const defaultSite = `# A site that is not managed, like the one that Debian's package brings.
server {
    listen %d default_server;
    server_name _;
    root %s;
}
`

func (l *Lab) writeNginxConf() error {
	var text strings.Builder
	err := nginxConf.Execute(&text, struct {
		*Lab
		User, MimeTypes, Glob string
		Workers               int
	}{l, l.user, mimeTypes(), l.opts.Glob, l.opts.Workers})
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.NginxConf, []byte(text.String()), 0o644); err != nil {
		return err
	}
	if !l.opts.DefaultSite {
		return nil
	}
	root := filepath.Join(l.Dir, "nginx", "html")
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("the default site\n"), 0o644); err != nil {
		return err
	}
	name := "default" + strings.TrimPrefix(l.opts.Glob, "*")
	return l.Site(name, fmt.Sprintf(defaultSite, l.HTTPPort, root))
}

// mimeTypes returns the file that nginx's package brings, or nothing: then all is application/octet-stream.
func mimeTypes() string {
	const path = "/etc/nginx/mime.types"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// Site writes a site by hand, as an administrator does: a file in sites-available and a link to it in sites-enabled.
// nginx sees it at its next reload.
func (l *Lab) Site(name, conf string) error {
	if err := os.WriteFile(filepath.Join(l.SitesAvailable, name), []byte(conf), 0o644); err != nil {
		return err
	}
	err := os.Symlink("../sites-available/"+name, filepath.Join(l.SitesEnabled, name))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	return err
}

// StartNginx starts nginx and returns when all its workers run; one that runs already is left alone.
func (l *Lab) StartNginx() error {
	if l.MasterPID() != 0 {
		return nil
	}
	// In the foreground, by -g and not in the file: as a daemon it would leave the keeper's process group, and a
	// "daemon off" in nginx.conf would hold up whoever starts nginx with it later.
	p, err := l.spawn("nginx", nil, l.NginxBin, "-c", l.NginxConf, "-g", "daemon off;")
	if err != nil {
		return err
	}
	l.nginx = p
	status := fmt.Sprintf("http://127.0.0.1:%d/status", l.StatusPort)
	return p.ready(func() error {
		if l.MasterPID() == 0 {
			return errors.New("no pid file yet")
		}
		if n := len(l.Workers()); n < l.opts.Workers {
			return fmt.Errorf("%d of %d workers run", n, l.opts.Workers)
		}
		_, err := fetch(localClient, "GET", status, nil)
		return err
	})
}

// StopNginx ends nginx with SIGTERM, also one that a test started itself, and returns when it is gone.
func (l *Lab) StopNginx() error {
	pid := l.MasterPID()
	if pid == 0 {
		return l.nginx.stop()
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	if !until(stopTimeout, func() bool { return cmdline(pid) == "" }) {
		return errors.Join(fmt.Errorf("nginx (pid %d) does not end: %s", pid, tail(l.ErrorLog)), l.KillNginx())
	}
	return nil
}

// KillNginx ends nginx's master and workers at once, as a power cut does. The pid file stays.
func (l *Lab) KillNginx() error {
	pid := l.MasterPID()
	if pid == 0 {
		return errors.New("nginx is not running")
	}
	// A stopped master starts no new workers while its present ones are counted.
	_ = syscall.Kill(pid, syscall.SIGSTOP)
	all := append(children(pid), pid)
	for _, p := range all {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	gone := func(p int) bool { return cmdline(p) == "" }
	if !until(stopTimeout, func() bool { return !slices.ContainsFunc(all, func(p int) bool { return !gone(p) }) }) {
		return fmt.Errorf("nginx (pids %v) does not end", all)
	}
	return nil
}

// ReloadNginx sends SIGHUP and returns when all new connections get the new configuration. A reload that nginx refuses
// is an error with what nginx logged.
func (l *Lab) ReloadNginx() error {
	pid := l.MasterPID()
	if pid == 0 {
		return errors.New("reload nginx: it is not running")
	}
	before, logged := children(pid), size(l.ErrorLog)
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		return fmt.Errorf("reload nginx (pid %d): %w", pid, err)
	}
	refusal := ""
	settled := until(startTimeout, func() bool {
		// bind() is tried five times, half a second apart, and each attempt logs an [emerg]. Only the line after them
		// is the refusal: "still could not bind()".
		refusal = firstEmerg(l.ErrorLog, logged)
		return renewed(pid, before) || refusal != ""
	})
	if refusal != "" {
		return fmt.Errorf("nginx refused the reload: %s", refusal)
	}
	if !settled {
		return fmt.Errorf("reload nginx (pid %d): the old workers still serve after %v\n%s", pid, startTimeout, tail(l.ErrorLog))
	}
	return nil
}

// renewed reports whether new workers run and all earlier ones have stopped accepting connections: those are gone, or
// say so in their title.
func renewed(master int, before []int) bool {
	fresh := false
	for _, child := range children(master) {
		title := cmdline(child)
		if slices.Contains(before, child) && title == "nginx: worker process" {
			return false
		}
		if !slices.Contains(before, child) && title == "nginx: worker process" {
			fresh = true
		}
	}
	return fresh
}

// MasterPID returns the pid of nginx's master, 0 if nginx is not running. The pid file alone proves nothing: it
// outlives a killed nginx, and the kernel gives pids out again.
func (l *Lab) MasterPID() int {
	b, _ := os.ReadFile(l.PIDFile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	title := cmdline(pid)
	if !strings.HasPrefix(title, "nginx: master process") || !strings.Contains(title, l.NginxConf) {
		return 0
	}
	return pid
}

// Workers returns the pids of nginx's workers that accept connections.
func (l *Lab) Workers() (pids []int) {
	for _, pid := range children(l.MasterPID()) {
		if cmdline(pid) == "nginx: worker process" {
			pids = append(pids, pid)
		}
	}
	return pids
}

func firstEmerg(log string, from int64) string {
	b, _ := os.ReadFile(log)
	for line := range strings.Lines(string(b[min(from, int64(len(b))):])) {
		if strings.Contains(line, "[emerg]") && !strings.Contains(line, "bind() to") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
