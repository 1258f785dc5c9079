package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// checkConflicts refuses a domain that two sites would claim. nginx itself only warns, and never uses the second.
func (pl *planner) checkConflicts() error {
	owner := map[string]string{} // domain to the address of the route or the file of the site
	for _, s := range pl.s.foreign {
		for _, name := range s.ServerNames {
			// ".example.com" is short for "example.com *.example.com".
			if name = strings.TrimPrefix(name, "."); name != "" && name != "_" {
				owner[name] = fmt.Sprintf("%s:%d", s.File, s.Line)
			}
		}
	}
	// Routes that are left alone come first, so that the one that is asked for is the one that is refused.
	for name, r := range pl.after {
		if _, asked := pl.wanted[name]; !asked {
			for _, domain := range r.Domains() {
				owner[domain] = pl.s.sites[name].path
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pl.wanted)) {
		r := pl.wanted[name]
		for _, domain := range r.Domains() {
			if other, taken := owner[domain]; taken {
				return conflict(domain, r.Address(), other)
			}
			owner[domain] = r.Address()
		}
	}
	return nil
}

func conflict(domain, address, other string) error {
	return invalid(&resources.DomainConflict{Domain: domain, First: address, Second: other})
}
