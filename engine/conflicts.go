package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// checkConflicts refuses what two resources would claim, or a resource and a site that is not managed. nginx itself only
// warns of a name that two sites have, and never uses the second.
func (pl *planner) checkConflicts() error {
	asked := map[Claim]string{} // by whom
	for _, address := range slices.Sorted(maps.Keys(pl.wanted)) {
		r, ok := pl.wanted[address].(Claimer)
		if !ok {
			continue
		}
		for _, c := range r.Claims() {
			other := asked[c]
			for _, found := range pl.s.claims()[c] {
				if found.site == nil || pl.isLeft(found.site) {
					other = found.place
				}
			}
			if other == "" {
				asked[c] = address
			} else if err := pl.tolerate(address, conflict(c, address, other)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tolerate returns the error of one resource, unless the planner only looks: then it is noted, and the others are looked at.
func (pl *planner) tolerate(address string, err error) error {
	if pl.tolerated == nil {
		return err
	}
	pl.tolerated[address] = append(pl.tolerated[address], err)
	return nil
}

// A claimant is who was found to claim something.
type claimant struct {
	place string // the file
	site  *site  // nil where it is not managed
}

// findClaims returns all claims that were found on the host.
func (s *survey) findClaims() map[Claim][]claimant {
	claims := make(map[Claim][]claimant, len(s.sites))
	for _, f := range s.foreign {
		if !s.sharesPort(f) {
			continue // the same name at another port is no conflict
		}
		for _, name := range f.ServerNames {
			// ".example.com" is short for "example.com *.example.com".
			if name = strings.TrimPrefix(name, "."); name != "" && name != "_" {
				c := domainClaim(name)
				claims[c] = append(claims[c], claimant{place: fmt.Sprintf("%s:%d", f.File, f.Line)})
			}
		}
	}
	for _, t := range s.sites {
		r, ok := t.resource.(Claimer)
		if !t.ours || !ok {
			continue
		}
		for _, c := range r.Claims() {
			claims[c] = append(claims[c], claimant{t.path, t})
		}
	}
	return claims
}

// sharesPort reports whether a site listens on a port of generated servers.
func (s *survey) sharesPort(f resources.Site) bool {
	return slices.ContainsFunc(f.Listens, func(l resources.Listen) bool {
		return l.Port == s.settings.HTTPPort || l.Port == s.settings.HTTPSPort
	})
}

func conflict(c Claim, address, other string) error {
	if c.What == domainName {
		return Invalid(&resources.DomainConflict{Domain: c.Name, First: address, Second: other})
	}
	return failf(DomainConflict, nil, "%s is claimed by both %s and %s", c, address, other).with("file", other)
}
