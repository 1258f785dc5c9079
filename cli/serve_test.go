package cli_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/matryer/is"
)

// A server is the program serving, until the test ends.
type server struct {
	t      testing.TB
	cmd    *exec.Cmd
	client *http.Client
	base   string
	ended  chan error
}

// serve starts the program with "serve" and waits until it says that it listens. dial says how it is reached.
func (h *host) serve(dial func(address string) (network, name string), env ...string) *server {
	h.t.Helper()
	s := &server{t: h.t, cmd: h.command("serve"), ended: make(chan error, 1)}
	s.cmd.Env = append(s.cmd.Env, env...)
	s.start(dial)
	return s
}

func (s *server) start(dial func(address string) (network, name string)) {
	s.t.Helper()
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	// One that never says that it listens is ended, so that the wait for its words is.
	giveUp := time.AfterFunc(20*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer giveUp.Stop()
	lines := bufio.NewScanner(stderr)
	address := ""
	for address == "" && lines.Scan() {
		var line struct{ Result, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Result == "listening" {
			address = line.Address
		}
	}
	if address == "" {
		s.t.Fatal("serve ended without listening")
	}
	go func() {
		_, _ = io.Copy(io.Discard, stderr)
		s.ended <- s.cmd.Wait()
	}()
	network, name := dial(address)
	s.client = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, name)
	}}}
	s.base = "http://" + address
	if network == "unix" {
		s.base = "http://localhost"
	}
}

func tcp(address string) (string, string)  { return "tcp", address }
func unix(address string) (string, string) { return "unix", address }

func (s *server) do(method, path, body string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// optionsOfAll asks "OPTIONS *" and returns the status.
func (s *server) optionsOfAll() int {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodOptions, s.base, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.URL.Opaque = "*"
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// stop sends SIGTERM and returns how the program has ended.
func (s *server) stop() error {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("serve did not end on SIGTERM")
		return nil
	}
}

func putBody(name string, port int) string {
	return fmt.Sprintf(`{"domain":"%s.example.test","upstream_host":"127.0.0.1","upstream_port":%d,"enable_ssl":false}`, name, port)
}

func TestServeOnTCPUntilSIGTERM(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	up := h.Upstream("alpha")
	port := fmt.Sprint("PROXY_MANAGER_PORT=", h.FreePort())
	s := h.serve(tcp, port)
	status, _ := s.do("PUT", "/proxies/alpha", putBody("alpha", up.Port()))
	is.Equal(status, 201)
	_, before := s.do("GET", "/proxies", "")
	is.Equal(s.optionsOfAll(), 404) // net/http would answer by itself, past every check
	is.NoErr(s.stop())

	s = h.serve(tcp, port)
	_, after := s.do("GET", "/proxies", "")
	is.Equal(after, before) // the configs are the state
	is.Equal(strings.TrimSpace(h.must("list", "--json").stdout) != "[]", true)
	is.NoErr(s.stop())
}

func TestServeRefusesToBeReachedFromElsewhereWithoutTokens(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.env = append(h.env, fmt.Sprint("PROXY_MANAGER_PORT=", h.FreePort()), "PROXY_MANAGER_HOST=0.0.0.0")
	o := h.run("serve")
	is.Equal(o.code, 1)
	is.True(strings.Contains(o.stderr, "PROXY_MANAGER_TOKEN_FILE"))

	s := h.serve(tcp, "PROXY_MANAGER_TOKEN_FILE="+h.write("tokens", "ci:x\n"))
	is.NoErr(s.stop())
}

func TestServeOnAUnixSocketThatOnlyTheOwnerMayUse(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	path := filepath.Join(t.TempDir(), "pm.sock")
	s := h.serve(unix, "PROXY_MANAGER_LISTEN=unix:"+path)
	info, err := os.Stat(path)
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), os.FileMode(0o600))
	status, _ := s.do("GET", "/proxies", "")
	is.Equal(status, 200)

	h.env = append(h.env, "PROXY_MANAGER_LISTEN=unix:"+path)
	is.Equal(h.run("serve").code, 1) // somebody listens there

	is.NoErr(s.cmd.Process.Kill())
	<-s.ended
	s = h.serve(unix) // the socket of a killed server is replaced
	is.NoErr(s.stop())
	_, err = os.Stat(path)
	is.True(os.IsNotExist(err))

	is.NoErr(os.WriteFile(path, []byte("precious"), 0o600))
	is.Equal(h.run("serve").code, 1) // what is no socket is left alone
	b, err := os.ReadFile(path)
	is.NoErr(err)
	is.Equal(string(b), "precious")
}

func TestServeOnTheSocketOfSystemd(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	is.NoErr(err)
	file, err := l.(*net.TCPListener).File()
	is.NoErr(err)
	l.Close()
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	is.NoErr(err)
	defer notify.Close()

	// LISTEN_PID is the pid of the program itself, which only something between fork and exec can know.
	s := &server{t: t, cmd: h.command(), ended: make(chan error, 1)}
	s.cmd.Path, s.cmd.Args = "/bin/sh", []string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve`, binary}
	s.cmd.Env = append(s.cmd.Env, "PROXY_MANAGER_LISTEN=systemd", "NOTIFY_SOCKET="+notify.LocalAddr().String())
	s.cmd.ExtraFiles = []*os.File{file}
	s.start(tcp)
	status, _ := s.do("GET", "/health", "")
	is.Equal(status, 200)
	is.NoErr(notify.SetReadDeadline(time.Now().Add(5 * time.Second)))
	b := make([]byte, 64)
	n, err := notify.Read(b)
	is.NoErr(err)
	is.Equal(string(b[:n]), "READY=1")
	is.NoErr(s.stop())
}

func TestSIGTERMInTheMiddleOfAChangeLetsItEnd(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	up := h.Upstream("slow")
	up.SetDelay(700 * time.Millisecond)
	s := h.serve(tcp, fmt.Sprint("PROXY_MANAGER_PORT=", h.FreePort()), "HEALTH_CHECK_TIMEOUT_MS=5000")
	done := make(chan int, 1)
	go func() {
		status, _ := s.do("PUT", "/proxies/slow", putBody("slow", up.Port()))
		done <- status
	}()
	h.until(func() bool { return up.Requests() > 0 })
	is.NoErr(s.stop())
	is.Equal(<-done, 201)
	got, err := h.Get("slow.example.test", "/name")
	is.NoErr(err)
	is.Equal(got.Body, "slow\n")
}

func TestServeReadsTheSettingsFileAndLogsWhatIsNoneInIt(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	port := h.FreePort()
	file := h.write("settings", fmt.Sprintf("PROXY_MANAGER_PORT=%d\nPROXY_MANAGER_ALLOWED_HOSTS=pm.example.com\nPROXY_MANAGER_PROT=1\n", port))
	h.env = append(h.env, "PROXY_MANAGER_CONFIG="+file)
	s := h.serve(tcp)
	is.True(strings.HasSuffix(s.base, fmt.Sprint(":", port)))
	for name, want := range map[string]int{"pm.example.com": 200, "elsewhere.example.com": 403} {
		req, err := http.NewRequest("GET", s.base+"/proxies", nil)
		is.NoErr(err)
		req.Host = name
		res, err := s.client.Do(req)
		is.NoErr(err)
		_ = res.Body.Close()
		is.Equal(res.StatusCode, want)
	}
	is.NoErr(s.stop())

	cmd := h.command("serve", "--listen", "unix:"+filepath.Join(t.TempDir(), "pm.sock"))
	log, err := cmd.StderrPipe()
	is.NoErr(err)
	is.NoErr(cmd.Start())
	lines := bufio.NewScanner(log)
	is.True(lines.Scan())
	line := decode[map[string]any](t, lines.Text()) // JSON, as every line of its log
	is.Equal(line["level"], "warn")
	is.Equal(line["error"], file+`:3: there is no setting "PROXY_MANAGER_PROT"`)
	is.NoErr(cmd.Process.Signal(syscall.SIGHUP))
	rest := ""
	for lines.Scan() {
		rest += lines.Text() + "\n"
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("did not end in good order: %v\n%s", err, rest)
	}
}

func TestServeLivesOnWithoutAReaderOfItsLogAndWithClientsThatHangUp(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	up := h.Upstream("alpha")
	s := &server{t: t, cmd: h.command("serve"), ended: make(chan error, 1)}
	port := h.FreePort()
	s.cmd.Env = append(s.cmd.Env, fmt.Sprint("PROXY_MANAGER_PORT=", port))
	r, w, err := os.Pipe()
	is.NoErr(err)
	s.cmd.Stderr = w
	is.NoErr(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	_ = w.Close()
	_, err = bufio.NewReader(r).ReadString('\n')
	is.NoErr(err)
	_ = r.Close()
	go func() { s.ended <- s.cmd.Wait() }()
	address := fmt.Sprint("127.0.0.1:", port)
	s.base, s.client = "http://"+address, http.DefaultClient
	for range 20 { // asks, and is gone before it is answered
		c, err := net.Dial("tcp", address)
		is.NoErr(err)
		_, _ = fmt.Fprintf(c, "GET /openapi.json HTTP/1.1\r\nHost: %s\r\n\r\n", address)
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	status, _ := s.do("PUT", "/proxies/alpha", putBody("alpha", up.Port()))
	is.Equal(status, 201)
	is.NoErr(s.stop())
}
