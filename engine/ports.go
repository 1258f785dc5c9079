package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// ports are what the servers of a managed file listen on; 0 where there is none of that kind.
type ports struct{ http, https int }

// portsOf reads the listen directives of a file that this program wrote: each has a line of its own.
func portsOf(text []byte) (p ports) {
	for line := range bytes.Lines(text) {
		directive, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("listen "))
		if !ok {
			continue
		}
		args := strings.Fields(strings.TrimSuffix(string(directive), ";"))
		if len(args) == 0 {
			continue
		}
		port, err := strconv.Atoi(args[0][strings.LastIndex(args[0], ":")+1:])
		switch {
		case err != nil: // a socket of the file system, say
		case slices.Contains(args, "ssl"):
			p.https = port
		default:
			p.http = port
		}
	}
	return p
}

// moves are the files whose servers go to the settings' ports from others.
type moves struct {
	files       int
	http, https map[int]bool // where they were
}

func newMoves() moves { return moves{http: map[int]bool{}, https: map[int]bool{}} }

// note looks at a file that is written anew.
func (m *moves) note(before, after []byte, s resources.Settings) {
	was, will := portsOf(before), portsOf(after)
	http := was.http != 0 && was.http != s.HTTPPort && will.http == s.HTTPPort
	https := was.https != 0 && was.https != s.HTTPSPort && will.https == s.HTTPSPort
	if !http && !https {
		return
	}
	m.files++
	if http {
		m.http[was.http] = true
	}
	if https {
		m.https[was.https] = true
	}
}

// warning says, before anything is done, what is most likely a mistake: the program was started with other settings than
// those that the host's files were written with.
func (m *moves) warning(s resources.Settings) []string {
	var parts []string
	for _, p := range []struct {
		was     map[int]bool
		now     int
		setting string
	}{{m.http, s.HTTPPort, "NGINX_HTTP_PORT"}, {m.https, s.HTTPSPort, "NGINX_HTTPS_PORT"}} {
		if len(p.was) > 0 {
			was := strings.Trim(fmt.Sprint(slices.Sorted(maps.Keys(p.was))), "[]")
			parts = append(parts, fmt.Sprintf("from port %s to %d (%s)", was, p.now, p.setting))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	files := "a managed file that listens"
	if m.files > 1 {
		files = fmt.Sprintf("%d managed files that listen", m.files)
	}
	return []string{fmt.Sprintf("the settings are not those that the host's files were written with: this plan moves %s %s",
		files, strings.Join(parts, " and "))}
}
