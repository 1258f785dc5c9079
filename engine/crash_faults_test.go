package engine

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
)

// faultsOf are the ways in which a call can fail.
func faultsOf(op crashfs.Op) []error {
	switch op.Name {
	case "Lstat", "Readlink":
		return []error{syscall.EIO, syscall.EACCES}
	case "ReadFile", "ReadDir", "OpenAppend":
		return []error{syscall.EIO, syscall.EACCES, syscall.EMFILE}
	case "Create":
		return []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EMFILE}
	case "Write":
		return []error{syscall.EIO, syscall.ENOSPC, crashfs.ErrShortWrite}
	case "Sync", "SyncDir", "SyncAll":
		return []error{syscall.EIO, syscall.ENOSPC}
	case "Close", "Truncate", "Chown":
		return []error{syscall.EIO}
	default: // Mkdir, Link, Symlink, Rename, Remove
		return []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS, syscall.EACCES}
	}
}

const diskFull = "the disk is full"

// conditions are those in which a whole disk can be from some call on.
var conditions = map[string]func(crashfs.Op) error{
	diskFull: func(op crashfs.Op) error {
		if slices.Contains([]string{"Create", "Write", "Mkdir", "Link", "Symlink"}, op.Name) {
			return syscall.ENOSPC
		}
		return nil
	},
	"the disk is read-only": func(op crashfs.Op) error {
		if op.Changes || op.Name == "OpenAppend" {
			return syscall.EROFS
		}
		return nil
	},
	"the disk is dead": func(crashfs.Op) error { return syscall.EIO },
}

// A failing is how one run is made to fail: at the n-th call, once or from then on.
type failing struct {
	name string
	n    int
	err  func(crashfs.Op) error
	once bool
}

// failings returns those of one run whose calls are known: all of them, or of every other call one.
func (m *matrix) failings(calls []crashfs.Op) []failing {
	var list []failing
	for n, op := range calls {
		faults := faultsOf(op)
		if !*full {
			faults = faults[m.random.IntN(len(faults)):][:m.random.IntN(2)]
		}
		for _, err := range faults {
			list = append(list, failing{fmt.Sprintf("%s of %s: %v", op.Name, op.Path, err), n, func(crashfs.Op) error { return err }, true})
		}
		for name, err := range conditions {
			if *full || m.random.IntN(12) == 0 {
				list = append(list, failing{name, n, err, false})
			}
		}
	}
	return list
}

// callsOf returns the calls that a run makes, in order.
func callsOf(h *memoryHost, run func() error) (calls []crashfs.Op) {
	h.disk.Before = func(op crashfs.Op) error {
		calls = append(calls, op)
		return nil
	}
	_ = run() // it is looked at elsewhere
	h.disk.Before = nil
	return calls
}

// strike makes one run fail, and checks what becomes of the host.
func (m *matrix) strike(s scenario, h *memoryHost, f failing) {
	m.points++
	change := s.start(m.t, h)
	n := 0
	h.disk.Before = func(op crashfs.Op) error {
		if n++; n-1 == f.n || (n-1 > f.n && !f.once) {
			return f.err(op)
		}
		return nil
	}
	err := change()
	h.disk.Before = nil
	where := fmt.Sprintf("%s: call %d, %s", s.name, f.n+1, f.name)
	applied := err == nil
	if OutcomeOf(err) == NeedsRecovery {
		applied = m.committed(h.disk)
		m.recovered++
		if f.name == diskFull && !s.noLinks {
			m.fail("%s: a full disk kept undo from ending: %v", where, err)
		}
	} else if d := difference(h.visible(), m.tree(applied)); d != "" {
		m.fail("%s: the outcome was %v (%v), and %s", where, OutcomeOf(err), err, d)
		return
	}
	// Whatever was said of the host must hold after a power cut, too.
	cut := h.on(h.disk.Crash(make([]int, len(h.disk.Choices()))))
	if berr := cut.nginx.boot(); berr != nil {
		m.fail("%s: nginx does not start after a power cut: %v", where, berr)
	}
	m.heal(cut, m.committed(cut.disk) || (applied && err == nil), where+", and a power cut")
	m.heal(h, applied, where)
}

// heal recovers the host, now that calls succeed again.
func (m *matrix) heal(h *memoryHost, applied bool, where string) {
	if applied {
		m.kept++
	} else {
		m.restored++
	}
	h.nginx.refuse, h.nginx.bind = false, false
	if _, err := h.recovered(m.t); err != nil {
		m.fail("%s: recover: %v", where, err)
	} else if problem := m.check(h, m.tree(applied), applied); problem != "" {
		m.fail("%s: %s", where, problem)
	}
}

func (m *matrix) tree(applied bool) map[string]string {
	if applied {
		return m.after
	}
	return m.before
}

func TestFaultMatrix(t *testing.T) {
	t.Cleanup(oneReader())
	total := &matrix{}
	t.Run("each", func(t *testing.T) {
		for _, s := range scenarios(t) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				m, h, _ := newMatrix(t, s)
				probe := h.clone()
				for _, f := range m.failings(callsOf(probe, s.start(t, probe))) {
					m.strike(s, h.clone(), f)
				}
				total.add(m)
				m.report()
			})
		}
	})
	t.Logf("fault matrix: %d fault points, %d of them needed recovery; all in all %d ended before, %d after, %d wrong",
		total.points, total.recovered, total.restored, total.kept, len(total.wrong))
}

// oneReader makes reading happen in one order, until it is called off.
func oneReader() (restore func()) {
	old := host.Readers
	host.Readers = 1
	return func() { host.Readers = old }
}
