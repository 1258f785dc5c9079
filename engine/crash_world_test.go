package engine

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
	"github.com/hashicorp/go-version"
)

// Here is what the crash tests run on: a host in memory, whose disk loses power, and an nginx that reads that disk.

const (
	memoryNginx     = "/etc/nginx"
	memoryAvailable = memoryNginx + "/sites-available"
	memoryEnabled   = memoryNginx + "/sites-enabled"
	memoryLive      = "/etc/letsencrypt/live"
)

// A memoryHost is a host at one moment.
type memoryHost struct {
	disk  *crashfs.FS
	nginx *memoryServer
	state string // the state directory: in memory, but for the lock, which is a real one
	seq   int    // counts applies
}

func newMemoryHost(t testing.TB) *memoryHost {
	t.Helper()
	h := &memoryHost{disk: crashfs.New(), state: t.TempDir()}
	h.nginx = &memoryServer{disk: h.disk, loaded: map[string]string{}}
	for _, dir := range []string{memoryAvailable, memoryEnabled, "/run", memoryLive, path.Dir(h.state)} {
		_, err := host.MkdirAll(h.disk, dir, 0o755)
		must(t, err)
	}
	h.write(t, memoryNginx+"/nginx.conf", "pid /run/nginx.pid; events {} http { include "+memoryEnabled+"/*.conf; }\n")
	h.write(t, memoryAvailable+"/hand.conf", "server { listen 81; server_name hand.example.test; }\n")
	must(t, h.disk.Symlink("../sites-available/hand.conf", memoryEnabled+"/hand.conf"))
	h.write(t, memoryEnabled+"/README", "not ours, and not nginx's either\n")
	h.disk.SyncAll()
	h.nginx.boot()
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *memoryHost) write(t testing.TB, name, text string) {
	t.Helper()
	f, err := h.disk.Create(name, 0o644)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	must(t, f.Close())
}

// clone is the same host, on its own from now on.
func (h *memoryHost) clone() *memoryHost { return h.on(h.disk.Clone()) }

// on is the same host with another disk, and nginx still running.
func (h *memoryHost) on(disk *crashfs.FS) *memoryHost {
	return &memoryHost{disk: disk, state: h.state, seq: h.seq, nginx: &memoryServer{disk: disk, loaded: h.nginx.loaded}}
}

// open starts the program on the host.
func (h *memoryHost) open(t testing.TB) *Engine {
	t.Helper()
	must(t, presents().err)
	e, err := Open(Options{
		Nginx: NginxOptions{
			HTTPSPort: presents().port, Conf: memoryNginx + "/nginx.conf", SitesAvailable: memoryAvailable, SitesEnabled: memoryEnabled,
		},
		Certbot: CertbotOptions{ConfigDir: path.Dir(memoryLive)},
		State:   StateOptions{Dir: h.state}, Actor: "test", FS: h.disk,
		// It stands still, so that the same run is the same, byte by byte.
		Clock: func() time.Time { return time.Date(2026, 1, 1, 0, 0, h.seq, 0, time.UTC) },
		NewID: func() string {
			h.seq++
			return h.id()
		},
	})
	must(t, err)
	e.nginx = h.nginx
	e.steps[plan.IssueCertificate] = stepFunc{plan.IssueCertificate, h.issue}
	e.steps[flagKind] = flagStep{}
	return e
}

// id is the id of the latest apply.
func (h *memoryHost) id() string {
	return time.Date(2026, 1, 1, 0, 0, h.seq, 0, time.UTC).Format("20060102T150405.000000") + "-000000"
}

// issue puts a certificate where certbot would. It is kept whatever happens to the apply, so a crash does not touch it.
func (h *memoryHost) issue(_ context.Context, step plan.Step) error {
	dir := memoryLive + "/fpai-" + strings.TrimPrefix(step.Address, "certificate.")
	before := h.disk.Before
	h.disk.Before = nil
	defer func() { h.disk.Before = before }()
	fsys := h.disk
	if _, err := host.MkdirAll(fsys, dir, 0o755); err != nil {
		return err
	}
	for name, content := range map[string][]byte{"fullchain.pem": presents().fullchain, "privkey.pem": presents().key} {
		f, err := fsys.Create(path.Join(dir, name), 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(fsys.SyncDir(dir), fsys.SyncDir(memoryLive))
}

// configuration is everything that an apply may change, byte by byte.
func (h *memoryHost) configuration() map[string]string { return h.disk.Tree(memoryNginx) }

// visible is the configuration without what an apply keeps beside the files until it is put away.
func (h *memoryHost) visible() map[string]string {
	tree := h.configuration()
	maps.DeleteFunc(tree, func(name, _ string) bool { return strings.HasPrefix(path.Base(name), journal.HiddenPrefix) })
	return tree
}

// A memoryServer is an nginx as far as the engine can tell: it refuses what nginx would refuse of what the program
// writes, and goes on with what it has loaded.
type memoryServer struct {
	disk   *crashfs.FS
	loaded map[string]string // what it serves: the enabled files' contents
	refuse bool              // nginx -t fails once more, for a reason of its own
	bind   bool              // the next reload is accepted, and then not done
}

func (s *memoryServer) Build(context.Context) (*nginx.Build, error) {
	return &nginx.Build{
		Version: version.Must(version.NewVersion("1.22.1")), OpenSSL: version.Must(version.NewVersion("3.0.0")),
		Conf: memoryNginx + "/nginx.conf", Prefix: "/usr/share/nginx", PIDFile: "/run/nginx.pid", ErrorLog: "/var/log/nginx/error.log",
	}, nil
}

func (s *memoryServer) ConfPath(b *nginx.Build) string { return b.Conf }
func (s *memoryServer) Master(pidFile string) (int, error) {
	if pidFile != "/run/nginx.pid" {
		return 0, fmt.Errorf("%w: no pid file %q", nginx.ErrNotRunning, pidFile)
	}
	return 1000, nil
}

func (s *memoryServer) Test(context.Context) error {
	if s.refuse {
		s.refuse = false
		return &nginx.Refusal{Reason: "refused by the test", File: memoryEnabled + "/fpai-a.conf", Line: 1}
	}
	if _, err := enabledOn(s.disk); err != nil {
		return &nginx.Refusal{Reason: err.Error()}
	}
	return nil
}

func (s *memoryServer) StartReload(context.Context, nginx.Paths) (nginx.Reload, error) {
	return memoryReload{s}, nil
}

func (s *memoryServer) Generation(string) (nginx.Generation, error) { return nginx.Generation{}, nil }

func (s *memoryServer) Ask(context.Context, nginx.Question) error { return nil }

type memoryReload struct{ s *memoryServer }

func (r memoryReload) Wait(context.Context) error {
	if r.s.bind {
		r.s.bind = false
		return errors.New("nginx kept its old configuration")
	}
	loaded, err := enabledOn(r.s.disk)
	if err == nil {
		r.s.loaded = loaded
	}
	return err
}

// boot starts nginx, as after a power cut: it must be able to.
func (s *memoryServer) boot() error {
	loaded, err := enabledOn(s.disk)
	s.loaded = loaded
	return err
}

// enabledOn returns what nginx would load from a disk, or why it would refuse to.
func enabledOn(disk *crashfs.FS) (map[string]string, error) {
	disk = disk.Clone() // without its Before: nginx's reading is no call of ours
	entries, err := disk.ReadDir(memoryEnabled)
	if err != nil {
		return nil, err
	}
	enabled, defaults := map[string]string{}, map[string]string{}
	var maps, needsMaps bool
	for _, entry := range entries {
		name := path.Join(memoryEnabled, entry.Name())
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		b, err := disk.ReadFile(name)
		if err != nil {
			return nil, err // a link to a file that is not there, say
		}
		tree, err := nginxconf.Parse(name, b)
		if err != nil {
			return nil, err
		}
		if err := checkWhole(entry.Name(), b); err != nil {
			return nil, err
		}
		if err := checkServers(disk, tree, name, defaults); err != nil {
			return nil, err
		}
		maps = maps || entry.Name() == resources.MapsFile
		needsMaps = needsMaps || strings.Contains(string(b), "proxy_set_header Connection $fpai_connection")
		enabled[entry.Name()] = string(b)
	}
	if needsMaps && !maps {
		return nil, errors.New(`unknown "fpai_connection" variable`)
	}
	return enabled, nil
}

// checkWhole refuses a file of ours that is not as it was written.
func checkWhole(base string, b []byte) error {
	if _, ours := resources.AddressOf(base); !ours {
		return nil
	}
	m, err := resources.ParseManaged(b)
	if err == nil && m.Drifted {
		err = errors.New("not as it was written")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	return nil
}

// checkServers refuses what is fatal to nginx: a certificate that is not there, and two default servers on one socket.
func checkServers(disk *crashfs.FS, tree []nginxconf.Directive, name string, defaults map[string]string) error {
	for _, d := range tree {
		switch {
		case d.Name == "ssl_certificate" || d.Name == "ssl_certificate_key":
			if _, err := disk.Lstat(d.Args[0]); err != nil {
				return err
			}
		case d.Name == "listen" && slices.Contains(d.Args, "default_server"):
			if other, taken := defaults[d.Args[0]]; taken {
				return fmt.Errorf("a duplicate default server for %s in %s and %s", d.Args[0], other, name)
			}
			defaults[d.Args[0]] = name
		}
		if err := checkServers(disk, d.Block, name, defaults); err != nil {
			return err
		}
	}
	return nil
}

// flagStep is a step kind as a program of somebody else's would bring it: it makes a file by itself, and says in its
// receipt what it replaced.
type flagStep struct{}

const flagKind = "test.flag"

func (flagStep) Name() string { return flagKind }

func (flagStep) Do(_ context.Context, host *Host, step plan.Step) (json.RawMessage, error) {
	if err := host.FS.Mkdir(step.Path, 0o755); err != nil {
		return nil, err
	}
	return json.RawMessage(`"made"`), host.FS.SyncDir(path.Dir(step.Path))
}

func (flagStep) Undo(_ context.Context, host *Host, step plan.Step, _ json.RawMessage) error {
	err := host.FS.Remove(step.Path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, host.FS.SyncDir(path.Dir(step.Path)))
}

// A flag is the resource that has a flagStep.
type flag struct{ Path string }

func (f flag) Address() string { return "flag.test" }

func (f flag) Plan(_ context.Context, o *host.Observer, b *Builder) error {
	names, err := o.ReadDir(path.Dir(f.Path))
	if err != nil || slices.Contains(names, path.Base(f.Path)) {
		return err
	}
	return b.Step(plan.Step{Kind: flagKind, Path: f.Path, Description: "raise the flag", Undo: "lower it"})
}

// memoryRoute returns a route that needs nobody to answer.
func memoryRoute(t testing.TB, name string, change ...func(*resources.RouteFields)) resources.Route {
	t.Helper()
	f := resources.RouteFields{
		DropletName: name, Domain: name + ".example.test", UpstreamHost: "127.0.0.1", UpstreamPort: 8001,
		EnableSSL: new(false), RequireHealthy: new(false),
	}
	for _, g := range change {
		g(&f)
	}
	r, err := resources.NewRoute(f)
	must(t, err)
	return r
}

func withPort(port int) func(*resources.RouteFields) {
	return func(f *resources.RouteFields) { f.UpstreamPort = port }
}

func disabled(f *resources.RouteFields) { f.Enabled = new(false) }

func withSSL(f *resources.RouteFields) { f.EnableSSL = new(true) }

// difference says how two trees differ; it is empty if they don't.
func difference(got, want map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if w, ok := want[name]; !ok {
			fmt.Fprintf(&b, "%s should not be there\n", name)
		} else if w != got[name] {
			fmt.Fprintf(&b, "%s is\n%.200s\nand should be\n%.200s\n", name, got[name], w)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[name]; !ok {
			fmt.Fprintf(&b, "%s is gone\n", name)
		}
	}
	return b.String()
}

// fingerprint tells hosts apart by all that recovery depends on.
func (h *memoryHost) fingerprint() [32]byte {
	text := fmt.Appendf(nil, "%x", h.disk.Fingerprint())
	for _, name := range slices.Sorted(maps.Keys(h.nginx.loaded)) {
		text = fmt.Appendf(text, "%s %x", name, sha256.Sum256([]byte(h.nginx.loaded[name])))
	}
	return sha256.Sum256(text)
}
