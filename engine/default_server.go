package engine

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// On each socket one server answers for names that no other has: the one that is flagged as default_server, or else the first
// that nginx has read. Without a flagged one, the program's files would make one of the routes that server by their mere
// place, or take the place from a site of the host that people reach by it.

// A socket is what a default server is of: a port, on all IPv4 or all IPv6 addresses.
type socket struct {
	port int
	ipv6 bool
}

func (s socket) String() string {
	if s.ipv6 {
		return net.JoinHostPort("::", strconv.Itoa(s.port))
	}
	return "port " + strconv.Itoa(s.port)
}

// freeDefaults returns the sockets that need a default server of the program's own. It refuses a plan that would take a site
// off the air which people reach as the default server by its place.
func (pl *planner) freeDefaults() (free resources.DefaultListens, err error) {
	if pl.e.opts.Nginx.NoDefaultServer {
		return free, nil
	}
	s, https := pl.s.settings, pl.servesHTTPS()
	for _, way := range []struct {
		of     socket
		wanted bool
		free   *bool
	}{
		{socket{s.HTTPPort, false}, true, &free.HTTP4},
		{socket{s.HTTPPort, true}, s.IPv6, &free.HTTP6},
		{socket{s.HTTPSPort, false}, https, &free.HTTPS4},
		{socket{s.HTTPSPort, true}, https && s.IPv6, &free.HTTPS6},
	} {
		if !way.wanted {
			continue
		}
		if *way.free, err = pl.needsDefault(way.of); err != nil {
			return free, err
		}
	}
	return free, nil
}

// needsDefault reports whether nothing of the host answers for unknown names on a socket.
func (pl *planner) needsDefault(of socket) (bool, error) {
	first := -1
	for i, site := range pl.s.foreign {
		for _, l := range site.Listens {
			if !of.is(l) {
				continue
			}
			if l.Default {
				return false, nil
			}
			if first < 0 {
				first = i
			}
		}
	}
	if first < 0 || pl.s.isManaged(sharedDefault.Address()) {
		return true, nil // nobody else is there, or they have not had the place for long
	}
	site := pl.s.foreign[first]
	place := fmt.Sprintf("%s:%d", site.File, site.Line)
	switch {
	case hasExactName(site):
		pl.warnings = append(pl.warnings, fmt.Sprintf("until now %s answered for unknown names and addresses on %s, by its place alone: now nobody will; write default_server behind its listen, if it should", place, of))
		return true, nil
	case first < pl.s.before:
		return false, nil // it is read first, and stays the default
	default:
		return false, failf(InvalidInput, nil, "the site at %s has no name of its own and is what people reach on %s by its place alone; a route would take that place from it: write default_server behind its listen first", place, of).
			with("file", site.File).with("line", site.Line)
	}
}

// is reports whether a listen directive is for this socket.
func (s socket) is(l resources.Listen) bool {
	everywhere := l.Address == "" || l.Address == "0.0.0.0"
	if s.ipv6 {
		everywhere = l.Address == "::"
	}
	return everywhere && l.Port == s.port
}

// hasExactName reports whether a site can be reached by a name that is its alone.
func hasExactName(s resources.Site) bool {
	return slices.ContainsFunc(s.ServerNames, func(name string) bool {
		return strings.Contains(name, ".") && !strings.ContainsAny(name, "*~") && !strings.HasPrefix(name, ".")
	})
}
