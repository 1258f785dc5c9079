package facade

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"
)

// tokens are the API tokens in a file, one a line: "token", "label:token", where the label is what the audit log and the
// history call its holder, or "ro:label:token" for one that can look and plan, and change nothing. Empty lines and lines
// that begin with # don't count.
//
// The file is read again when it changes. Where there is anything wrong with it, nobody is admitted, whoever was before:
// it may be that somebody is to be kept out by the very change. The same where it has no token: an empty list that admits
// everybody has been somebody's breach (CVE-2026-33032).
type tokens struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	stamp string
	list  []token
	wrong error
}

type token struct {
	label    string
	readOnly bool
	hash     [sha256.Size]byte
	line     int
}

// find returns the token that was presented. All tokens are compared, each in the same time, as hashes of equal length.
func (t *tokens) find(presented string) (found token, ok bool) {
	hash := sha256.Sum256([]byte(presented))
	list, _ := t.current()
	for _, known := range list {
		if subtle.ConstantTimeCompare(hash[:], known.hash[:]) == 1 {
			found, ok = known, true
		}
	}
	return found, ok
}

// unusable returns why nobody is admitted; nil if somebody is, or no token is asked for.
func (t *tokens) unusable() error {
	if t == nil {
		return nil
	}
	_, err := t.current()
	return err
}

// current returns the tokens as they are in the file now, or what is wrong with it. It is parsed only when it has changed;
// who may write to it is looked at each time.
func (t *tokens) current() ([]token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stamp, err := stampOf(t.path)
	if err != nil {
		stamp = err.Error()
	}
	if stamp == t.stamp {
		return t.list, t.wrong
	}
	var list []token
	if err == nil {
		list, err = readTokens(t.path)
	}
	if t.stamp, t.list, t.wrong = stamp, list, err; err != nil {
		t.list = nil
		t.log.Error("nobody is admitted, because of the token file", "file", t.path, "error", err)
		return nil, err
	}
	t.tellRepeatedLabels()
	return t.list, nil
}

// tellRepeatedLabels warns where the audit log would not tell two tokens apart. While one takes the place of another, that
// is wanted.
func (t *tokens) tellRepeatedLabels() {
	first := map[string]int{}
	for _, one := range t.list {
		if line, taken := first[one.label]; taken {
			t.log.Warn("two tokens have the same label", "file", t.path, "label", one.label, "lines", []int{line, one.line})
		}
		first[one.label] = one.line
	}
}

// stampOf differs whenever the file does: an editor replaces it, and a restored copy may be older. The error says why it
// can't be trusted.
func stampOf(path string) (string, error) {
	if err := checkTrusted(path); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		stamp += fmt.Sprint(" ", st.Dev, st.Ino, st.Ctim.Nano())
	}
	return stamp, nil
}

const (
	maxTokenFile = 1 << 20
	maxTokenLine = 4 << 10
)

func readTokens(path string) ([]token, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return nil, err
	}
	return parseTokens(b)
}

// parseTokens reads all lines or none. An error names the line, and says nothing of what is there.
func parseTokens(b []byte) ([]token, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // some editors begin a file with a byte order mark
	switch {
	case len(b) > maxTokenFile:
		return nil, fmt.Errorf("it is larger than %d bytes", maxTokenFile)
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.HasPrefix(b, []byte("\xfe\xff")):
		return nil, errors.New("it is in UTF-16: save it as UTF-8")
	}
	var list []token
	first := map[[sha256.Size]byte]int{}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		one, err := parseToken(strings.TrimSpace(line), n)
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", n, err)
		case one == nil:
			continue
		case first[one.hash] != 0:
			return nil, fmt.Errorf("line %d has the token of line %d again: whose is it?", n, first[one.hash])
		}
		first[one.hash] = n
		list = append(list, *one)
	}
	if len(list) == 0 {
		return nil, errors.New("it has no token")
	}
	return list, nil
}

// labelled is a line whose part before the first colon can be a label.
var labelled = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}):(.*)$`)

// parseToken returns nil for a line without a token.
func parseToken(line string, n int) (*token, error) {
	switch {
	case len(line) > maxTokenLine:
		return nil, fmt.Errorf("it is longer than %d bytes", maxTokenLine)
	case line == "" || strings.HasPrefix(line, "#"):
		return nil, nil
	case !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, errors.New("it has characters that no token can have")
	}
	one := token{label: fmt.Sprintf("token on line %d", n), line: n}
	rest, readOnly := strings.CutPrefix(line, "ro:")
	m := labelled.FindStringSubmatch(rest)
	switch {
	case m != nil:
		one.label, rest = m[1], strings.TrimSpace(m[2])
	case readOnly:
		return nil, errors.New("a token for reading is written ro:label:token")
	}
	if rest == "" {
		return nil, errors.New("it has a label and no token")
	}
	one.readOnly, one.hash = readOnly, sha256.Sum256([]byte(rest))
	return &one, nil
}
