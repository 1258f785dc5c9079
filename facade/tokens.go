package facade

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// tokens are the API tokens in a file, one a line: "token" or "label:token", where the label is what the audit log and
// the history call its holder. Empty lines and lines that begin with # don't count. A file without any token, or one
// that can't be read, admits nobody: an empty list that admits everybody has been somebody's breach (CVE-2026-33032).
type tokens struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	stamp string
	list  []token
}

type token struct {
	label string
	hash  [sha256.Size]byte
}

// find returns the label of a token. All tokens are compared, each in the same time, as hashes of equal length.
func (t *tokens) find(presented string) (label string, ok bool) {
	hash := sha256.Sum256([]byte(presented))
	for _, known := range t.current() {
		if subtle.ConstantTimeCompare(hash[:], known.hash[:]) == 1 {
			label, ok = known.label, true
		}
	}
	return label, ok
}

// current returns the tokens as they are in the file now; it is read again only when it has changed.
func (t *tokens) current() []token {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.path)
	stamp := "unreadable"
	if err == nil {
		stamp = stampOf(info)
	}
	if stamp == t.stamp {
		return t.list
	}
	t.stamp, t.list = stamp, nil
	b, err := readTokens(t.path)
	if err != nil {
		t.log.Error("the token file can't be read, so nobody is admitted", "error", err)
		return nil
	}
	if t.list = parseTokens(b); len(t.list) == 0 {
		t.log.Error("the token file holds no token, so nobody is admitted", "file", t.path)
	}
	return t.list
}

// stampOf differs whenever the file does: an editor replaces it, and a restored copy may be older.
func stampOf(info os.FileInfo) string {
	stamp := fmt.Sprint(info.Size(), info.ModTime().UnixNano())
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		stamp += fmt.Sprint(" ", st.Dev, st.Ino, st.Ctim.Nano())
	}
	return stamp
}

const maxTokenFile = 1 << 20

func readTokens(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxTokenFile))
}

// labelled is a line whose part before the first colon can be a label.
var labelled = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}):(.*)$`)

func parseTokens(b []byte) []token {
	var list []token
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		label, secret := fmt.Sprintf("token on line %d", n), line
		if m := labelled.FindStringSubmatch(line); m != nil {
			label, secret = m[1], strings.TrimSpace(m[2])
		}
		if secret != "" {
			list = append(list, token{label, sha256.Sum256([]byte(secret))})
		}
	}
	return list
}
