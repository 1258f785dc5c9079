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
	asked := map[string]string{} // domain to the address of the route
	for _, name := range slices.Sorted(maps.Keys(pl.wanted)) {
		r := pl.wanted[name]
		for _, domain := range r.Domains() {
			other := asked[domain]
			for _, c := range pl.s.claims()[domain] {
				if c.route == nil || pl.isLeft(c.route) {
					other = c.place
				}
			}
			if other != "" {
				return conflict(domain, r.Address(), other)
			}
			asked[domain] = r.Address()
		}
	}
	return nil
}

// A claim is a domain's mention in a site that was found on the host.
type claim struct {
	place string // the site's file
	route *site  // nil where it is not managed
}

// findClaims returns all claims, by domain.
func (s *survey) findClaims() map[string][]claim {
	claims := make(map[string][]claim, len(s.sites))
	for _, f := range s.foreign {
		for _, name := range f.ServerNames {
			// ".example.com" is short for "example.com *.example.com".
			if name = strings.TrimPrefix(name, "."); name != "" && name != "_" {
				claims[name] = append(claims[name], claim{place: fmt.Sprintf("%s:%d", f.File, f.Line)})
			}
		}
	}
	for _, t := range s.sites {
		if !t.ours || isShared(t.name) {
			continue
		}
		for _, domain := range t.managed.Route.Domains() {
			claims[domain] = append(claims[domain], claim{t.path, t})
		}
	}
	return claims
}

func conflict(domain, address, other string) error {
	return invalid(&resources.DomainConflict{Domain: domain, First: address, Second: other})
}
