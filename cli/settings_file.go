package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fullpotential-ai/proxy-manager/engine"
)

// A settingsFile is what a settings file says, by variable. Of two lines for one variable the later counts.
type settingsFile struct {
	path  string
	lines map[string]assignment
	// warnings tell of lines that set nothing.
	warnings []string
}

// An assignment is one line VARIABLE=value.
type assignment struct {
	variable, value string
	line            int
}

// maxSettingsFile is far more than all settings together need.
const maxSettingsFile = 1 << 20

// readSettingsFile reads the settings file. One that is not there has no settings in it, unless it was named.
func readSettingsFile(path string, named bool) (settingsFile, error) {
	text, err := readOwn(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return settingsFile{}, nil
	case errors.Is(err, fs.ErrPermission):
		return settingsFile{}, &engine.Error{Code: engine.ConfigReadFailed, Message: "read the settings file", Err: err}
	case err != nil:
		return settingsFile{}, &engine.Error{Code: engine.InvalidInput, Message: "read the settings file", Err: err}
	}
	f, err := parseSettingsFile(path, text)
	if err != nil {
		return f, &engine.Error{Code: engine.InvalidInput, Message: "wrong settings", Err: err}
	}
	return f, nil
}

// readOwn reads a file that nobody but root and the own user can change: it names programs that are run.
func readOwn(path string) (string, error) {
	if err := checkOwn(path); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not make it wait
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is no regular file", path))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSettingsFile+1))
	if err == nil && len(text) > maxSettingsFile {
		err = fmt.Errorf("%s is too long for a settings file", path)
	}
	return string(text), err
}

// checkOwn follows a path from the root through every directory and link, and returns an error if anybody but root and the
// own user could change where it leads. In a directory like /tmp (sticky) only a file's owner can replace it.
func checkOwn(path string) error {
	at, rest := "/", strings.Split(path, "/")
	for links := 0; ; {
		info, err := os.Lstat(at)
		if err == nil {
			err = checkOwner(at, info)
		}
		if err != nil {
			return err
		}
		if info.Mode().Type() == fs.ModeSymlink {
			to, err := os.Readlink(at)
			if links++; err == nil && links > 40 {
				err = &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
			}
			if err != nil {
				return err
			}
			if at = filepath.Dir(at); filepath.IsAbs(to) {
				at = "/"
			}
			rest = append(strings.Split(to, "/"), rest...)
		}
		if len(rest) == 0 {
			return nil
		}
		at, rest = filepath.Join(at, rest[0]), rest[1:] // at is free of links, so ".." is what it seems to be
	}
}

func checkOwner(path string, info fs.FileInfo) error {
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who could change the settings; it must be root's or the current user's", path, owner.Uid)
	}
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if info.Mode().Type() != fs.ModeSymlink && info.Mode().Perm()&0o022 != 0 && !sticky {
		return fmt.Errorf("%s can be written by others (mode %04o), who could change the settings; run chmod go-w on it", path, info.Mode().Perm())
	}
	return nil
}

// parseSettingsFile reads text as systemd does for EnvironmentFile= (systemd.exec(5)), so that the program and its unit read
// the same. What different systemds read in different ways is refused.
func parseSettingsFile(path, text string) (settingsFile, error) {
	f := settingsFile{path: path, lines: map[string]assignment{}}
	if strings.HasPrefix(text, "\ufeff") {
		return f, fmt.Errorf("%s:1: begins with a byte order mark: save it as UTF-8 without one", path)
	}
	s := fileScanner{text: text, line: 1}
	for s.more() {
		a, err := s.assignment()
		switch {
		case err != nil:
			return f, fmt.Errorf("%s:%d: %w", path, a.line, err)
		case a.variable == "":
		case !knownSetting(a.variable):
			f.warnings = append(f.warnings, fmt.Sprintf("%s:%d: there is no setting %.100q", path, a.line, a.variable))
		default:
			f.lines[a.variable] = a
		}
	}
	return f, nil
}

// A fileScanner goes through a settings file. A carriage return ends a line as a newline does.
type fileScanner struct {
	text string
	pos  int
	line int
}

func (s *fileScanner) more() bool { return s.pos < len(s.text) }

func (s *fileScanner) next() byte {
	c := s.text[s.pos]
	s.pos++
	if c == '\n' {
		s.line++
	}
	return c
}

func isNewline(c byte) bool { return c == '\n' || c == '\r' }
func isBlank(c byte) bool   { return c == ' ' || c == '\t' }

// assignment reads one line, or the lines of one that goes on. Of an empty line and a comment, the variable is empty.
func (s *fileScanner) assignment() (a assignment, err error) {
	a.line = s.line
	start := s.pos
	for s.more() {
		c := s.next()
		if isNewline(c) {
			break
		}
		if c == '=' {
			a.variable = strings.Trim(s.text[start:s.pos-1], " \t")
			a.value, err = s.value()
			return a, err
		}
		if first := strings.TrimLeft(s.text[start:s.pos], " \t"); first == "#" || first == ";" {
			return a, s.comment()
		}
	}
	a.variable = strings.Trim(s.text[start:s.pos], " \t\r\n") // no assignment, which is told like an unknown name
	return a, nil
}

// comment passes over a comment.
func (s *fileScanner) comment() error {
	last := byte(0)
	for s.more() {
		c := s.next()
		if !isNewline(c) {
			last = c
			continue
		}
		if last == '\\' {
			return errors.New("a comment ends with a backslash, and systemd before version 254 takes the next line for a part of it: remove the backslash")
		}
		break
	}
	return nil
}

var errUnclosed = errors.New("a quote is opened and never closed")

// value reads what stands behind "=". Quotes are quotes at its beginning and behind one another only.
func (s *fileScanner) value() (string, error) {
	var b strings.Builder
	kept, plain := 0, false // how much stays when trailing blanks are cut off; something stood outside of quotes
	for s.more() {
		switch c := s.next(); {
		case isNewline(c):
			return b.String()[:kept], nil
		case c == '\\':
			plain = true
			s.escaped(&b, "")
			kept = b.Len()
		case !plain && (c == '\'' || c == '"'):
			if !s.quoted(&b, c) {
				return "", errUnclosed
			}
			kept = b.Len()
		case !isBlank(c):
			plain = true
			b.WriteByte(c)
			kept = b.Len()
		case plain:
			b.WriteByte(c)
		}
	}
	return b.String()[:kept], nil
}

// quoted reads up to the closing quote, and reports whether there is one.
func (s *fileScanner) quoted(b *strings.Builder, quote byte) bool {
	for s.more() {
		switch c := s.next(); {
		case c == quote:
			return true
		case c == '\\' && quote == '"':
			s.escaped(b, "\"\\`$")
		default:
			b.WriteByte(c)
		}
	}
	return false
}

// escaped reads what stands behind a backslash: a newline is no part of the value. The backslash stays before a character
// that is not special, where only some are.
func (s *fileScanner) escaped(b *strings.Builder, special string) {
	if !s.more() {
		return
	}
	c := s.next()
	if c == '\n' || special == "" && c == '\r' {
		return
	}
	if special != "" && !strings.ContainsRune(special, rune(c)) {
		b.WriteByte('\\')
	}
	b.WriteByte(c)
}
