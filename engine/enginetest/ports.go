package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	firstPort = 20000
	blockSize = 32
)

// ports are the blocks of TCP ports that a lab owns, each by a locked file.
//
// "go test ./..." runs packages side by side, and a port must stay ours while nobody listens on it: before a site is
// applied, or while an upstream is down. Asking the kernel for a free port (:0) promises neither, so labs share the
// range below the ephemeral ports, from which no outgoing connection takes one, under locks that die with the process.
type ports struct {
	locks []*os.File
	free  []int
}

// takePorts gives the lab's own parts their ports.
func (l *Lab) takePorts() error {
	for _, p := range []*int{&l.HTTPPort, &l.HTTPSPort, &l.StatusPort} {
		port, err := l.ports.next()
		if err != nil {
			return err
		}
		*p = port
	}
	return l.takeACMEPorts()
}

// FreePort returns a port on which nothing listens, and which no other lab will use while this one is open.
func (l *Lab) FreePort() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	port, err := l.ports.next()
	l.must(err)
	return port
}

// Occupy listens on a port, on all addresses, until release is called. An nginx that is told to listen there refuses
// the reload and keeps its old configuration, although "nginx -t" and "nginx -s reload" both report success.
func (l *Lab) Occupy(port int) (release func()) {
	ln, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	l.must(err)
	return func() { ln.Close() }
}

func (p *ports) next() (int, error) {
	if len(p.free) == 0 {
		if err := p.grow(); err != nil {
			return 0, err
		}
	}
	port := p.free[0]
	p.free = p.free[1:]
	return port, nil
}

// grow takes one more block.
func (p *ports) grow() error {
	// One directory per user: another user's lock file cannot be opened, and the bind below tells what is taken.
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("enginetest-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	blocks := (lastPort() - firstPort) / blockSize
	for _, i := range rand.Perm(max(blocks, 0)) {
		base := firstPort + i*blockSize
		lock, err := tryLock(filepath.Join(dir, strconv.Itoa(base)))
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		if free := allFree(base); free != nil {
			p.locks, p.free = append(p.locks, lock), free
			return nil
		}
		lock.Close()
	}
	return fmt.Errorf("no block of %d free ports between %d and %d", blockSize, firstPort, lastPort())
}

func (p *ports) close() error {
	var errs []error
	for _, f := range p.locks {
		errs = append(errs, f.Close())
	}
	*p = ports{}
	return errors.Join(errs...)
}

// tryLock returns nil if another process, or another lab of this one, holds the lock.
func tryLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

// allFree returns the block's ports if every one can be had on all addresses, over TCP and (for the DNS) UDP.
func allFree(base int) (block []int) {
	for port := base; port < base+blockSize; port++ {
		addr := ":" + strconv.Itoa(port)
		tcp, err := net.Listen("tcp", addr)
		if err != nil {
			return nil
		}
		tcp.Close()
		udp, err := net.ListenPacket("udp", addr)
		if err != nil {
			return nil
		}
		udp.Close()
		block = append(block, port)
	}
	return block
}

// lastPort is where the kernel's range for outgoing connections begins (ip_local_port_range in ip(7)).
func lastPort() int {
	const usual = 32768
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	fields := strings.Fields(string(b))
	if err != nil || len(fields) == 0 {
		return usual
	}
	low, err := strconv.Atoi(fields[0])
	if err != nil || low < firstPort+blockSize {
		return usual
	}
	return low
}
