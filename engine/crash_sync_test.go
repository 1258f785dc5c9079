package engine

import (
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/crashfs"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
)

// A harness that no missing fsync can make fail proves nothing. Here each fsync of an apply, of an undo and of a recovery
// is left out, one at a time, and for each kind of them a crash must be found that does harm.

func isSync(op crashfs.Op) bool {
	return slices.Contains([]string{"Sync", "SyncDir", "SyncAll"}, op.Name)
}

// kindOfSync says what a sync is for, by what it makes durable.
func (m *matrix) kindOfSync(op crashfs.Op) string {
	switch {
	case !isSync(op):
		return ""
	case op.Name == "SyncAll":
		return "all new files"
	case op.Path == path.Join(m.state, "journal", m.id):
		return "the journal"
	case strings.HasPrefix(path.Base(op.Path), journal.HiddenPrefix):
		return "a new file"
	case op.Path == m.state:
		return "the state directory"
	case op.Path == path.Dir(m.state):
		return "the state directory's parent"
	default:
		return "the directory " + path.Base(op.Path)
	}
}

// withoutSync makes the change with its n-th sync left out, lets the power fail everywhere, and returns what went wrong.
func (m *matrix) withoutSync(s scenario, h *memoryHost, n int) []string {
	m.wrong, m.visited, m.shallow = nil, map[[32]byte]bool{}, true
	change := s.start(m.t, h)
	var moments []*memoryHost
	h.disk.Before = func(op crashfs.Op) error {
		if op.Changes {
			moments = append(moments, h.clone())
		}
		if !isSync(op) {
			return nil
		}
		if n--; n == -1 {
			moments = nil // until now all was as it should be
			return crashfs.ErrLie
		}
		return nil
	}
	err := change()
	h.disk.Before = nil
	moments = append(moments, h.clone())
	for i := 0; i < len(moments) && len(m.wrong) == 0; i++ {
		m.crash(moments[i:i+1], 0)
	}
	// What the caller was told must be so, too.
	cut := h.on(h.disk.Crash(make([]int, len(h.disk.Choices()))))
	if m.committed(cut.disk) != (err == nil) {
		m.fail("an apply that had succeeded is lost")
	}
	return m.wrong
}

func TestEveryFsyncIsNeeded(t *testing.T) {
	t.Cleanup(oneReader())
	var mu sync.Mutex
	harm, harmless := map[string]int{}, map[string]int{}
	t.Run("each", func(t *testing.T) {
		for _, s := range scenarios(t) {
			if !*full && !slices.Contains([]string{"the first routes", "the first routes with one sync for all", "a refused reload is undone without hard links"}, s.name) {
				continue
			}
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				m, h, _ := newMatrix(t, s)
				probe := h.clone()
				n := 0
				for _, op := range callsOf(probe, s.start(t, probe)) {
					kind := m.kindOfSync(op)
					if kind == "" {
						continue
					}
					count := harmless
					if wrong := m.withoutSync(s, h.clone(), n); len(wrong) > 0 {
						count = harm
					}
					mu.Lock()
					count[kind]++
					mu.Unlock()
					n++
				}
			})
		}
	})
	for _, kind := range slices.Sorted(maps.Keys(harmless)) {
		if harm[kind] == 0 {
			t.Errorf("leaving out the fsync of %s does no harm: either it is not needed, or this test is blind", kind)
		}
	}
	t.Logf("leaving out one fsync did harm: %v; did none, since another came before it mattered: %v", harm, harmless)
}
