package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// On each socket one server answers for names that no other has: the one that is flagged as default_server, or else the first
// that nginx has read. Without a flagged one, the program's files would make one of the routes that server by their mere
// place, or take the place from a site of the host that people reach by it.

// freeDefaults returns the sockets that need a default server of the program's own. It refuses a plan that would take a site
// off the air which people reach as the default server by its place.
func (pl *planner) freeDefaults() (free resources.DefaultListens, err error) {
	if pl.e.opts.Nginx.NoDefaultServer {
		return free, nil
	}
	s := pl.s.settings
	if free.HTTP, err = pl.withoutDefault(s.Sockets(s.HTTPPort)); err != nil || !pl.servesHTTPS() {
		return free, err
	}
	free.HTTPS, err = pl.withoutDefault(s.Sockets(s.HTTPSPort))
	return free, err
}

// withoutDefault returns those of the sockets that need a default server.
func (pl *planner) withoutDefault(sockets []string) (free []string, err error) {
	for _, socket := range sockets {
		needs, err := pl.needsDefault(socket)
		if err != nil {
			return nil, err
		}
		if needs {
			free = append(free, socket)
		}
	}
	return free, nil
}

// needsDefault reports whether nothing of the host answers for unknown names on a socket.
func (pl *planner) needsDefault(socket string) (bool, error) {
	first, of := -1, resources.ParseSocket(socket)
	for i, site := range pl.s.foreign {
		for _, l := range site.Listens {
			if l.Port != of.Port || l.Address != of.Address {
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
		pl.warnings = append(pl.warnings, fmt.Sprintf("until now %s answered for unknown names and addresses at listen %s, by its place alone: now nobody will; write default_server behind its listen, if it should", place, socket))
		return true, nil
	case first < pl.s.before:
		return false, nil // it is read first, and stays the default
	default:
		return false, failf(InvalidInput, nil, "the site at %s has no name of its own and is what people reach at listen %s by its place alone; a route would take that place from it: write default_server behind its listen first", place, socket).
			with("file", site.File).with("line", site.Line)
	}
}

// hasExactName reports whether a site can be reached by a name that is its alone.
func hasExactName(s resources.Site) bool {
	return slices.ContainsFunc(s.ServerNames, func(name string) bool {
		return strings.Contains(name, ".") && !strings.ContainsAny(name, "*~") // ".example.com" is example.com, too
	})
}
