package host

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// Glob returns the paths that nginx's include finds for an absolute pattern, in nginx's order. It is glob(3) without flags
// (ngx_open_glob): elements are matched one by one, a dot at the start of a name only by a dot, braces mean nothing, and the
// paths are sorted as bytes, as nginx sets no locale. A pattern without a wildcard is a path, whether there is
// anything or not.
func (o *Observer) Glob(pattern string) ([]string, error) {
	if !hasWildcard(pattern) {
		return []string{pattern}, nil
	}
	paths := []string{""}
	for element := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		if element == "" {
			continue
		}
		var err error
		if paths, err = o.globElement(paths, element); err != nil {
			return nil, err
		}
	}
	slices.Sort(paths)
	return slices.DeleteFunc(paths, func(path string) bool { return !o.isThere(path) }), nil
}

// globElement returns what the element of a pattern matches in directories. What has no wildcard may not be there.
func (o *Observer) globElement(dirs []string, element string) ([]string, error) {
	var paths []string
	for _, dir := range dirs {
		if !strings.ContainsAny(element, `*?[\`) {
			paths = append(paths, dir+"/"+element)
			continue
		}
		names, err := o.matching(dir+"/", element)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			paths = append(paths, dir+"/"+name)
		}
	}
	return paths, nil
}

// matching returns the names in a directory that match. glob(3) passes over what is no directory.
func (o *Observer) matching(dir, pattern string) ([]string, error) {
	dir = filepath.Clean(dir)
	list := o.ReadDir
	if strings.HasPrefix(strings.TrimPrefix(pattern, `\`), ".") {
		list = func(dir string) ([]string, error) { return o.hidden(dir, pattern) }
	}
	names, err := list(dir)
	if errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !Match(pattern, name) }), err
}

// hidden returns the names that match a pattern for hidden files. Others of them come and go, while a change is made, and
// are no part of the fingerprint.
func (o *Observer) hidden(dir, pattern string) ([]string, error) {
	entries, err := o.fs.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if Match(pattern, e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	o.note(Join(dir, pattern), matchesPrefix+plan.Hash([]byte(strings.Join(names, "\n"))))
	return names, nil
}

// matchesPrefix begins the fingerprint of what a pattern matches.
const matchesPrefix = "matches sha256:"

// isThere reports whether there is anything at a path: what was listed is.
func (o *Observer) isThere(path string) bool {
	o.mu.Lock()
	names, listed := o.read[filepath.Dir(path)]
	o.mu.Unlock()
	if _, found := slices.BinarySearch(names, filepath.Base(path)); listed && found {
		return true
	}
	if _, err := o.fs.Lstat(path); err != nil {
		o.note(path, "absent")
		return false
	}
	return true
}

// hasWildcard reports whether nginx takes an include for a pattern, and not for a path.
func hasWildcard(pattern string) bool { return strings.ContainsAny(pattern, "*?[") }

// Match reports whether a name, without slashes, matches an element of a pattern of nginx's include, as fnmatch(3) with
// FNM_PERIOD in the C locale has it: [!a-z] and [^a-z] are any other byte, \ makes the next byte literal.
func Match(pattern, name string) bool {
	if strings.HasPrefix(name, ".") && !strings.HasPrefix(strings.TrimPrefix(pattern, `\`), ".") {
		return false
	}
	return match(pattern, name)
}

// match goes back to the last star only: what an earlier one could match differently, the last can, too.
func match(pattern, name string) bool {
	star, again := -1, 0
	for p, n := 0, 0; ; {
		if p == len(pattern) && n == len(name) {
			return true
		}
		if p < len(pattern) && pattern[p] == '*' {
			star, again = p+1, n
			p++
			continue
		}
		if width := matchByte(pattern[p:], name[n:]); width > 0 {
			p, n = p+width, n+1
			continue
		}
		if star < 0 || again >= len(name) {
			return false
		}
		again++
		p, n = star, again
	}
}

// matchByte matches the first byte of a name, and returns how much of the pattern that takes: 0 where it does not match.
func matchByte(pattern, name string) (width int) {
	if pattern == "" || name == "" {
		return 0
	}
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		if matched, width := matchBracket(pattern, name[0]); width > 0 {
			if matched {
				return width
			}
			return 0
		}
	case '\\':
		if len(pattern) > 1 {
			if pattern[1] == name[0] {
				return 2
			}
			return 0
		}
	}
	if pattern[0] == name[0] {
		return 1
	}
	return 0
}

// matchBracket matches a byte with a bracket expression. One that is not closed is none, and has no width.
func matchBracket(pattern string, c byte) (matched bool, width int) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return matched != negated, i + 1
		}
		if class, rest, ok := cutClass(pattern[i:]); ok {
			matched = matched || inClass(class, c)
			i = len(pattern) - len(rest)
			continue
		}
		low, n := bracketByte(pattern[i:])
		i += n
		high := low
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high, n = bracketByte(pattern[i+1:])
			i += 1 + n
		}
		matched = matched || low <= c && c <= high
	}
	return false, 0
}

// bracketByte returns the byte that an end of a range stands for, and its width.
func bracketByte(pattern string) (c byte, width int) {
	if pattern[0] == '\\' && len(pattern) > 1 {
		return pattern[1], 2
	}
	return pattern[0], 1
}

// cutClass cuts a class such as [:alpha:] from inside a bracket expression.
func cutClass(pattern string) (class, rest string, ok bool) {
	after, ok := strings.CutPrefix(pattern, "[:")
	if !ok {
		return "", "", false
	}
	return strings.Cut(after, ":]")
}

func inClass(class string, c byte) bool {
	lower, upper, digit := 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
	switch class {
	case "alnum":
		return lower || upper || digit
	case "alpha":
		return lower || upper
	case "blank":
		return c == ' ' || c == '\t'
	case "cntrl":
		return c < ' ' || c == 0x7f
	case "digit":
		return digit
	case "graph":
		return '!' <= c && c <= '~'
	case "lower":
		return lower
	case "print":
		return ' ' <= c && c <= '~'
	case "punct":
		return '!' <= c && c <= '~' && !lower && !upper && !digit
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r'
	case "upper":
		return upper
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
	}
	return false
}
