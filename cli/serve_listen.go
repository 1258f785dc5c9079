package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// listen opens the socket that the settings ask for.
func (p *program) listen() (net.Listener, error) {
	s := p.settings
	if path, ok := strings.CutPrefix(s.Listen, "unix:"); ok {
		return listenUnix(path)
	}
	var l net.Listener
	var err error
	if s.Listen == "systemd" {
		l, err = inheritedListener(p.Getenv)
	} else {
		l, err = net.Listen("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	}
	if err != nil {
		return nil, &engine.Error{Code: engine.InvalidInput, Message: "serve can't listen", Err: err}
	}
	if s.TokenFile == "" && !isLocal(l.Addr()) {
		_ = l.Close()
		return nil, &engine.Error{Code: engine.InvalidInput, Message: fmt.Sprintf(
			"%s can be reached from other hosts, and nobody would have to show a token there: set PROXY_MANAGER_TOKEN_FILE, or listen on 127.0.0.1 or unix:/PATH", l.Addr())}
	}
	return l, nil
}

// isLocal reports whether only this host can reach an address.
func isLocal(a net.Addr) bool {
	if a.Network() == "unix" {
		return true
	}
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// inheritedListener returns the socket that systemd has opened (sd_listen_fds(3)). It is always descriptor 3.
func inheritedListener(getenv func(string) string) (net.Listener, error) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) || getenv("LISTEN_FDS") != "1" {
		return nil, errors.New("PROXY_MANAGER_LISTEN is systemd, but systemd has passed no socket, or several, to this process (LISTEN_PID, LISTEN_FDS)")
	}
	const first = 3
	syscall.CloseOnExec(first) // neither nginx nor certbot is to inherit it
	f := os.NewFile(first, "socket of systemd")
	defer f.Close()
	return net.FileListener(f)
}

// listenUnix listens on a socket that only the own user may connect to. One that a killed server has left is replaced,
// and nothing else is.
func listenUnix(path string) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, &engine.Error{Code: engine.InvalidInput, Message: "serve can't listen", Err: err}
	}
	// The mode must be right from the first instant: chmod would leave a moment in which others can connect.
	old := syscall.Umask(0o177)
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, &engine.Error{Code: engine.InvalidInput, Message: "serve can't listen", Err: err}
	}
	return l, nil
}

func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there, and is no socket: move it away first", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("another server listens on %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%s is there, and whether somebody listens can't be said: %w", path, err)
	}
	return os.Remove(path)
}
