package plan_test

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// applyDiff is patch for one path, strict in all that a diff says: it fails at a wrong count, position, context or mode.
func applyDiff(t *testing.T, before *plan.State, diff string) *plan.State {
	t.Helper()
	state := before
	for part := range strings.SplitSeq(diff, "diff --git ") { // a hunk's lines have a sign in front
		if part == "" {
			continue
		}
		p := patcher{lines: strings.SplitAfter(part, "\n")[1:]}
		next, err := p.apply(state)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, diff)
		}
		state = next
	}
	return state
}

type patcher struct {
	lines   []string
	out     strings.Builder
	old     string // what is left of the old text
	oldSeen int
	newSeen int
}

func (p *patcher) apply(before *plan.State) (*plan.State, error) {
	mode, text := describe(before)
	p.old = text
	newMode := mode
	for len(p.lines) > 0 && p.lines[0] != "" {
		head := strings.TrimSuffix(p.next(), "\n")
		want, found := strings.CutPrefix(head, "old mode ")
		if !found {
			want, found = strings.CutPrefix(head, "deleted file mode ")
			if found {
				newMode = ""
			}
		}
		if found && want != mode {
			return nil, fmt.Errorf("mode %q, is %q", want, mode)
		}
		if m, ok := strings.CutPrefix(head, "new mode "); ok {
			newMode = m
		}
		if m, ok := strings.CutPrefix(head, "new file mode "); ok {
			if mode != "" {
				return nil, fmt.Errorf("new file, but there is one")
			}
			newMode = m
		}
		if strings.HasPrefix(head, "@@ ") {
			if err := p.hunk(head); err != nil {
				return nil, err
			}
		}
	}
	return stateOf(newMode, p.out.String()+p.old)
}

func (p *patcher) next() string {
	l := p.lines[0]
	p.lines = p.lines[1:]
	return l
}

func (p *patcher) hunk(head string) error {
	f := strings.Fields(head)
	oldStart, oldCount := hunkRange(f[1])
	newStart, newCount := hunkRange(f[2])
	for p.oldSeen < oldStart-1 || oldCount == 0 && p.oldSeen < oldStart {
		p.out.WriteString(p.takeOld())
		p.newSeen++
	}
	if newCount == 0 {
		newStart++
	}
	if p.newSeen != newStart-1 {
		return fmt.Errorf("%s at new line %d", head, p.newSeen+1)
	}
	for oldCount > 0 || newCount > 0 {
		op, text := p.hunkLine()
		if op != '+' {
			if is := p.takeOld(); is != text {
				return fmt.Errorf("%s: want %q, is %q", head, text, is)
			}
			oldCount--
		}
		if op != '-' {
			p.out.WriteString(text)
			p.newSeen++
			newCount--
		}
	}
	if oldCount < 0 || newCount < 0 {
		return fmt.Errorf("%s: too many lines", head)
	}
	return nil
}

func (p *patcher) hunkLine() (op byte, text string) {
	l := p.next()
	if len(p.lines) > 0 && strings.HasPrefix(p.lines[0], `\`) {
		p.next()
		l = strings.TrimSuffix(l, "\n")
	}
	return l[0], l[1:]
}

func (p *patcher) takeOld() string {
	i := strings.Index(p.old, "\n") + 1
	if i == 0 {
		i = len(p.old)
	}
	l := p.old[:i]
	p.old = p.old[i:]
	p.oldSeen++
	return l
}

func hunkRange(s string) (start, count int) {
	from, n, found := strings.Cut(s[1:], ",")
	start, _ = strconv.Atoi(from)
	if !found {
		return start, 1
	}
	count, _ = strconv.Atoi(n)
	return start, count
}

func describe(s *plan.State) (mode, text string) {
	switch {
	case s == nil || !s.Exists:
		return "", ""
	case s.IsLink():
		return "120000", s.Target
	default:
		return fmt.Sprintf("100%03o", s.Mode.Perm()), string(s.Content)
	}
}

func stateOf(mode, text string) (*plan.State, error) {
	switch mode {
	case "":
		if text != "" {
			return nil, fmt.Errorf("deleted with %q left", text)
		}
		return nil, nil
	case "120000":
		return plan.Link(text), nil
	default:
		perm, err := strconv.ParseUint(strings.TrimPrefix(mode, "100"), 8, 9)
		return plan.File([]byte(text), fs.FileMode(perm)), err
	}
}
