package enginetest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// proxySite is a vhost as an administrator writes it by hand.
func proxySite(lab *enginetest.Lab, domain string, up *enginetest.Upstream) string {
	return fmt.Sprintf(`server {
    listen %d;
    server_name %s;
    location / {
        proxy_pass %s;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
    }
    location /.well-known/acme-challenge/ { root %s/webroot; }
}
`, lab.HTTPPort, domain, up.URL(), lab.StateDir)
}

func TestHandWrittenSitesServeTheirUpstreams(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	plain, secure := lab.Upstream("plain"), lab.UpstreamTLS("secure")
	is.NoErr(lab.Site("plain.conf", proxySite(lab, "plain.example.test", plain)))
	is.NoErr(lab.Site("secure.conf", proxySite(lab, "secure.example.test", secure)))
	is.NoErr(lab.ReloadNginx())

	res, err := lab.Get("plain.example.test", "/echo?q=1")
	is.NoErr(err)
	echo, err := res.Echo()
	is.NoErr(err)
	is.Equal(echo.Name, "plain")
	is.Equal(echo.Host, "plain.example.test")
	is.Equal(echo.Path, "/echo?q=1")
	is.Equal(plain.Requests(), 1)

	res, err = lab.Get("secure.example.test", "/echo")
	is.NoErr(err)
	echo, err = res.Echo()
	is.NoErr(err)
	is.True(echo.TLS) // nginx spoke HTTPS to it
}

func TestUpstreamCanBeSickAndGone(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	up := lab.Upstream("api")
	is.NoErr(lab.Site("api.conf", proxySite(lab, "api.example.test", up)))
	is.NoErr(lab.ReloadNginx())
	status := func() int {
		t.Helper()
		res, err := lab.Get("api.example.test", "/health")
		is.NoErr(err)
		return res.Status
	}
	is.Equal(status(), 200)
	up.SetHealthy(false)
	is.Equal(status(), 503)
	up.Stop()
	is.Equal(status(), 502)
	is.NoErr(up.Start())
	up.SetHealthy(true)
	is.Equal(status(), 200)
}

func TestWebSocketSurvivesAReloadInItsOldWorker(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{Workers: 1})
	is.NoErr(lab.Site("ws.conf", proxySite(lab, "ws.example.test", lab.Upstream("ws"))))
	is.NoErr(lab.ReloadNginx())
	ws, err := lab.DialWebSocket("ws://ws.example.test/ws")
	is.NoErr(err)
	defer ws.Close()
	before := lab.Workers()
	is.NoErr(lab.ReloadNginx())
	is.True(before[0] != lab.Workers()[0]) // another worker accepts now
	for _, message := range []string{"hello", strings.Repeat("long ", 100), strings.Repeat("longer ", 20000)} {
		got, err := ws.Echo(message)
		is.NoErr(err)
		is.Equal(got, message)
	}
}

func TestRefusedReloadIsAnErrorWithNginxsReason(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{DefaultSite: true})
	port := lab.FreePort()
	release := lab.Occupy(port)
	before := lab.Tree()
	is.NoErr(lab.Site("taken.conf", fmt.Sprintf("server { listen %d; }\n", port)))
	out, err := exec.Command(lab.NginxBin, "-t", "-c", lab.NginxConf).CombinedOutput()
	is.NoErr(err) // nginx -t binds no port: it finds nothing wrong
	is.True(strings.Contains(string(out), "test is successful"))

	err = lab.ReloadNginx()
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "still could not bind()"))
	res, err := lab.Get("unknown.example.test", "/")
	is.NoErr(err)
	is.Equal(res.Body, "the default site\n") // the old configuration goes on serving

	release()
	is.NoErr(lab.ReloadNginx())
	is.Equal(lab.Tree().Diff(before), strings.Join([]string{
		fmt.Sprintf("+ sites-available/taken.conf: -rw-r--r-- %d:%d", os.Getuid(), os.Getgid()),
		fmt.Sprintf("+ sites-enabled/taken.conf: Lrwxrwxrwx %d:%d -> ../sites-available/taken.conf\n", os.Getuid(), os.Getgid()),
	}, "\n"))
}

func TestNginxCanBeStoppedKilledAndStarted(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	first := lab.MasterPID()
	is.NoErr(lab.StopNginx())
	is.Equal(lab.MasterPID(), 0)
	is.NoErr(lab.StartNginx())
	is.True(lab.MasterPID() != first)
	workers := lab.Workers()
	is.Equal(len(workers), 2)
	is.NoErr(lab.KillNginx())
	_, err := os.Stat(lab.PIDFile)
	is.NoErr(err)                // it could not clean up
	is.Equal(lab.MasterPID(), 0) // and its pid file is not believed
	is.True(!running(workers[0]))
	is.NoErr(lab.StartNginx())
}

func TestBrokenConfigurationDoesNotStartAndSaysWhy(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{})
	is.NoErr(lab.StopNginx())
	is.NoErr(lab.Site("broken.conf", "server { nonsense on; }\n"))
	err := lab.StartNginx()
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), `unknown directive "nonsense"`))
}

func TestMissingPartsAreNamedWithWhatToInstall(t *testing.T) {
	is := is.New(t)
	t.Setenv("PATH", t.TempDir())
	_, err := enginetest.New(enginetest.Options{ACME: true})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "apt-get install --no-install-recommends certbot pebble")) // each package once
}

func TestTreeDiffShowsWhatChanged(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	lab := enginetest.Start(t, enginetest.Options{DefaultSite: true, Glob: "*"})
	before := lab.Tree()
	is.Equal(lab.Tree().Diff(before), "")
	path := filepath.Join(lab.SitesAvailable, "default")
	b, err := os.ReadFile(path)
	is.NoErr(err)
	is.NoErr(os.WriteFile(path, []byte(strings.Replace(string(b), "server_name _;", "server_name a.test;", 1)), 0o644))
	is.Equal(lab.Tree().Diff(before), "~ sites-available/default:\n    -     server_name _;\n    +     server_name a.test;\n")
	is.NoErr(os.WriteFile(path, b, 0o644))
	is.NoErr(os.Chmod(path, 0o600))
	is.True(strings.Contains(lab.Tree().Diff(before), "+ -rw-------")) // a mode is a difference too
}

func TestLabsHavePortsOfTheirOwn(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	a := enginetest.Start(t, enginetest.Options{})
	b := enginetest.Start(t, enginetest.Options{})
	seen := map[int]bool{}
	for range 100 { // more than one block each
		for _, port := range []int{a.FreePort(), b.FreePort()} {
			is.True(!seen[port])
			seen[port] = true
		}
	}
}

// orphanDir tells this test binary, run again by the test below, to start a lab and then be killed.
const orphanDir = "ENGINETEST_ORPHAN"

func TestNothingIsLeftWhenTheProgramIsKilled(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	if os.Getenv(orphanDir) != "" {
		lab := enginetest.Start(t, enginetest.Options{ACME: true})
		fmt.Println("LAB", lab.Dir, lab.MasterPID(), lab.Workers()[0])
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	self := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	self.Env = append(os.Environ(), orphanDir+"=1")
	out, err := self.CombinedOutput()
	is.True(err != nil) // killed
	_, line, found := strings.Cut(string(out), "LAB ")
	is.True(found) // the lab had started
	var dir string
	var master, worker int
	_, err = fmt.Sscan(line, &dir, &master, &worker)
	is.NoErr(err)

	gone := func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err) && !running(master) && !running(worker)
	}
	enginetest.Until(t, 10*time.Second, fmt.Sprintf("%s, nginx's master %d and its worker %d are gone", dir, master, worker), gone)
}

// running reports whether the process runs; one that only waits to be reaped does not.
func running(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(b) > 0
}
