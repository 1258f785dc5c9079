package plan

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sergi/go-diff/diffmatchpatch"
)

const (
	// contextLines is how many equal lines surround a change; "git apply" refuses a diff without any.
	contextLines = 3

	// maxDiffCells and maxDiffLines bound what is compared line by line. Beyond them the changed part is shown as one
	// replacement: with no timeout, whose outcome would depend on the machine's load, the time grows with the product of
	// both lengths (about half a second at the bound), and go-diff panics above 1,112,060 distinct lines.
	maxDiffCells = 100_000_000
	maxDiffLines = 1_000_000

	coarseNote = " too large to compare line by line"
)

// Diff returns the change of path from before to after as a unified diff in git's form, which both
// "patch -p1 -d /" and "git apply" accept. A nil state stands for nothing. The result ends in a newline, so that diffs
// can be concatenated, and is empty if content, type and permissions are equal. Owners have no place in a diff.
//
// The same states give the same diff, always. Content that is not UTF-8 text, or has a NUL byte in it, would not survive
// JSON; the diff then is the one line "Binary files a/… and b/… differ", which both programs skip as prose.
func Diff(path string, before, after *State) string {
	from, to := versionOf(before), versionOf(after)
	newType := from.exists() && to.exists() && from.isLink() != to.isLink()
	switch {
	case from == to:
		return ""
	case (newType || from.text != to.text) && !(from.isText() && to.isText()):
		// Whole or not at all: half of a change of type would delete the file and not make the link.
		oldName, newName := sideNames(path, from, to)
		return fmt.Sprintf("Binary files %s and %s differ\n", oldName, newName)
	case newType:
		// Neither program turns a file into a link in place.
		return filePatch(path, from, version{}) + filePatch(path, version{}, to)
	default:
		return filePatch(path, from, to)
	}
}

// linkMode is what git calls the mode of every symbolic link. Its content is the target.
const linkMode = "120000"

// A version is one side of a diff, as git sees it.
type version struct {
	mode string // such as 100644; empty where there is nothing
	text string
}

func versionOf(s *State) version {
	switch {
	case s == nil || !s.Exists:
		return version{}
	case s.IsLink():
		return version{mode: linkMode, text: s.Target}
	default:
		return version{mode: fmt.Sprintf("100%03o", s.Mode.Perm()), text: string(s.Content)}
	}
}

func (v version) exists() bool { return v.mode != "" }
func (v version) isLink() bool { return v.mode == linkMode }
func (v version) isText() bool { return utf8.ValidString(v.text) && !strings.Contains(v.text, "\x00") }

// blobID is the version's abbreviated object name in git. patch knows an empty file from an absent one only by it, and a
// link from a file only by the mode behind it.
func (v version) blobID() string {
	if !v.exists() {
		return "0000000"
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00%s", len(v.text), v.text)
	return hex.EncodeToString(h.Sum(nil))[:7]
}

// filePatch returns the patch of one file: from and to differ, and are of the same type if both exist.
func filePatch(path string, from, to version) string {
	var b strings.Builder
	writeHeader(&b, path, from, to)
	if from.text == to.text {
		return b.String() // only the mode differs, or an empty file comes or goes
	}
	oldName, newName := sideNames(path, from, to)
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", oldName, newName)
	lines, complete := compare(splitLines(from.text), splitLines(to.text))
	note := ""
	if !complete {
		note = coarseNote
	}
	writeHunks(&b, lines, note)
	return b.String()
}

func sideNames(path string, from, to version) (oldName, newName string) {
	oldName, newName = quoteName("a", path), quoteName("b", path)
	if !from.exists() {
		oldName = "/dev/null"
	}
	if !to.exists() {
		newName = "/dev/null"
	}
	return oldName, newName
}

func writeHeader(b *strings.Builder, path string, from, to version) {
	fmt.Fprintf(b, "diff --git %s %s\n", quoteName("a", path), quoteName("b", path))
	ids := from.blobID() + ".." + to.blobID()
	switch {
	case !from.exists():
		fmt.Fprintf(b, "new file mode %s\nindex %s\n", to.mode, ids)
	case !to.exists():
		fmt.Fprintf(b, "deleted file mode %s\nindex %s\n", from.mode, ids)
	case from.mode == to.mode:
		fmt.Fprintf(b, "index %s %s\n", ids, to.mode)
	default:
		fmt.Fprintf(b, "old mode %s\nnew mode %s\n", from.mode, to.mode)
		if from.text != to.text {
			fmt.Fprintf(b, "index %s\n", ids)
		}
	}
}

// quoteName returns the path below side, a or b, quoted as git does where it holds a quote, a backslash or a byte outside
// printable ASCII. A space is a reason too: patch ends an unquoted name there.
func quoteName(side, path string) string {
	name := side + "/" + strings.TrimLeft(path, "/")
	if strings.IndexFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) < 0 {
		return name
	}
	quoted := []byte{'"'}
	for _, c := range []byte(name) {
		switch {
		case c == '"' || c == '\\':
			quoted = append(quoted, '\\', c)
		case c < ' ' || c >= 0x7f:
			quoted = fmt.Appendf(quoted, `\%03o`, c)
		default:
			quoted = append(quoted, c)
		}
	}
	return string(append(quoted, '"'))
}

// A line is one line of a diff's body. Its text has its newline, if there is one: a last line without is another line,
// which is how a change of just that shows.
type line struct {
	op   byte // ' ', '-' or '+'
	text string
}

func splitLines(text string) []string {
	return slices.AppendSeq(make([]string, 0, strings.Count(text, "\n")+1), strings.Lines(text))
}

func appendLines(lines []line, op byte, texts []string) []line {
	for _, text := range texts {
		lines = append(lines, line{op, text})
	}
	return lines
}

// compare returns all lines of both sides in order. complete is false if there were too many for a real comparison.
func compare(from, to []string) (lines []line, complete bool) {
	head := commonPrefix(from, to)
	tail := commonSuffix(from[head:], to[head:])
	lines = appendLines(make([]line, 0, len(from)+len(to)), ' ', from[:head])
	lines, complete = appendChanges(lines, from[head:len(from)-tail], to[head:len(to)-tail])
	return appendLines(lines, ' ', from[len(from)-tail:]), complete
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

func appendChanges(lines []line, from, to []string) (_ []line, complete bool) {
	replaced := func() []line { return appendLines(appendLines(lines, '-', from), '+', to) }
	switch {
	case len(from) == 0 || len(to) == 0:
		return replaced(), true // nothing to compare: a thousand created files cost next to nothing
	case len(from)*len(to) > maxDiffCells || len(from)+len(to) > maxDiffLines:
		return replaced(), false
	}
	differ := diffmatchpatch.New()
	differ.DiffTimeout = 0 // any other lets the outcome depend on the machine's load
	a, b, texts := differ.DiffLinesToRunes(strings.Join(from, ""), strings.Join(to, ""))
	// No cleanup afterwards: the library's work on characters and would move changes off the line boundaries.
	for _, d := range differ.DiffCharsToLines(differ.DiffMainRunes(a, b, false), texts) {
		lines = appendLines(lines, opOf(d.Type), splitLines(d.Text))
	}
	return lines, true
}

func opOf(t diffmatchpatch.Operation) byte {
	switch t {
	case diffmatchpatch.DiffDelete:
		return '-'
	case diffmatchpatch.DiffInsert:
		return '+'
	default:
		return ' '
	}
}

// writeHunks writes the changed lines with their context. Both programs take the note behind a hunk's header for the name
// of a section and skip it.
func writeHunks(b *strings.Builder, lines []line, note string) {
	oldSeen, newSeen, done := 0, 0, 0
	for done < len(lines) {
		start, end := nextHunk(lines, done)
		// Between hunks all lines are equal, so both sides advance alike.
		oldSeen, newSeen = oldSeen+start-done, newSeen+start-done
		hunk := lines[start:end]
		if len(hunk) > 0 {
			oldCount, newCount := count(hunk)
			fmt.Fprintf(b, "@@ -%s +%s @@%s\n", hunkRange(oldSeen, oldCount), hunkRange(newSeen, newCount), note)
			writeLines(b, hunk)
			oldSeen, newSeen = oldSeen+oldCount, newSeen+newCount
		}
		done = end
	}
}

// nextHunk returns the bounds of the first hunk at or after done. Changes with at most twice the context between them
// share one, so that no two hunks overlap.
func nextHunk(lines []line, done int) (start, end int) {
	i := done
	for i < len(lines) && lines[i].op == ' ' {
		i++
	}
	if i == len(lines) {
		return i, i
	}
	start, end = max(done, i-contextLines), i
	for ; i < len(lines) && i-end <= 2*contextLines; i++ {
		if lines[i].op != ' ' {
			end = i + 1
		}
	}
	return start, min(end+contextLines, len(lines))
}

func count(hunk []line) (oldLines, newLines int) {
	for _, l := range hunk {
		if l.op != '+' {
			oldLines++
		}
		if l.op != '-' {
			newLines++
		}
	}
	return oldLines, newLines
}

// hunkRange returns one side of a hunk's header: the first line and the number of lines, left out if it is 1. An empty
// range is said to begin at the line before it.
func hunkRange(seen, lines int) string {
	switch lines {
	case 0:
		return fmt.Sprintf("%d,0", seen)
	case 1:
		return fmt.Sprintf("%d", seen+1)
	default:
		return fmt.Sprintf("%d,%d", seen+1, lines)
	}
}

func writeLines(b *strings.Builder, hunk []line) {
	size := 0
	for _, l := range hunk {
		size += 1 + len(l.text)
	}
	b.Grow(size)
	for _, l := range hunk {
		b.WriteByte(l.op)
		b.WriteString(l.text)
		if !strings.HasSuffix(l.text, "\n") {
			b.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
