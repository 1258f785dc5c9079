package engine

import (
	"iter"
	"slices"
)

// resolve works out which resources are wanted, and which sites go.
func (pl *planner) resolve() error {
	pl.wanted, pl.doomed = map[string]Resource{}, map[string]bool{}
	for _, r := range pl.req.resources() {
		if pl.targeted(r.Address()) {
			pl.wanted[r.Address()] = r
		}
	}
	if pl.adopted != nil {
		r := route{pl.adopted.route}
		pl.wanted[r.Address()] = r
	}
	for _, k := range pl.e.order {
		if err := k.want(pl); err != nil {
			return err
		}
	}
	if err := pl.doomAsked(); err != nil {
		return err
	}
	if !pl.req.KeepUnlisted {
		pl.doomUnlisted()
	}
	if err := pl.resolveNeeds(); err != nil {
		return err
	}
	return pl.checkTargets()
}

// doomAsked dooms what the request names.
func (pl *planner) doomAsked() error {
	for _, address := range pl.req.Delete {
		t := pl.s.sites[address]
		if t == nil || pl.e.isImplied(address) || (!t.ours && !t.file.Exists && !t.linkState.Exists) {
			return notFound(nameOf(address))
		}
		if !t.ours {
			return unmanaged(t.path)
		}
		pl.doomed[address] = true
	}
	return nil
}

func (pl *planner) doomUnlisted() {
	for address, t := range pl.s.sites {
		if pl.wanted[address] == nil && t.ours && !pl.e.isImplied(address) && pl.targeted(address) {
			pl.doomed[address] = true
		}
	}
}

// maxDepth bounds how many resources stand behind one another, each needed by the one before: none of the engine's own
// needs more than one, and a circle of somebody else's has no end.
const maxDepth = 8

// resolveNeeds adds what the resources imply that there will be, refuses what lacks something, and dooms what none of them
// needs any more.
func (pl *planner) resolveNeeds() error {
	needed := map[string]Resource{}
	for r := range pl.afterwards() {
		if err := pl.findNeeds(r, 1, needed); err != nil {
			return err
		}
	}
	pl.imply(needed)
	return nil
}

// findNeeds adds what a resource needs, and what that needs in turn.
func (pl *planner) findNeeds(r Resource, depth int, needed map[string]Resource) error {
	d, ok := r.(Dependent)
	if s, isSite := r.(Site); !ok || isSite && !s.Enabled() {
		return nil
	}
	if depth > maxDepth {
		return failf(Internal, nil, "%s needs what needs it, or is one of too many that do", r.Address())
	}
	for _, n := range d.Needs() {
		address := n.Address()
		if pl.depths[address] >= depth {
			continue
		}
		if !pl.e.isImplied(address) && !pl.willBe(address) {
			return failf(InvalidInput, nil, "%s needs %s, which is not there", r.Address(), address)
		}
		needed[address], pl.depths[address] = n, depth
		if err := pl.findNeeds(n, depth+1, needed); err != nil {
			return err
		}
	}
	return nil
}

// imply wants what is needed, of the kinds that are never listed, and dooms the rest of them.
func (pl *planner) imply(needed map[string]Resource) {
	for address, r := range needed {
		if pl.wanted[address] == nil && pl.e.isImplied(address) {
			pl.wanted[address] = r
		}
	}
	for address, t := range pl.s.sites {
		if t.ours && pl.e.isImplied(address) && needed[address] == nil {
			pl.doomed[address] = true
		}
	}
}

// willBe reports whether there will be a resource of that address.
func (pl *planner) willBe(address string) bool {
	t := pl.s.sites[address]
	return pl.wanted[address] != nil || t != nil && pl.isLeft(t)
}

// depth is how many others stand in a row that need a resource, each the one before: the deeper, the earlier it is written
// and the later it goes.
func (pl *planner) depth(address string) int {
	if depth := pl.depths[address]; depth > 0 || !pl.e.isImplied(address) {
		return depth
	}
	return 1 // nothing needs it any more
}

func (pl *planner) targeted(address string) bool {
	return len(pl.req.Targets) == 0 || slices.Contains(pl.req.Targets, address)
}

func (pl *planner) checkTargets() error {
	for _, target := range pl.req.Targets {
		t := pl.s.sites[target]
		if pl.wanted[target] == nil && (t == nil || !t.ours) && !pl.isCertificate(target) {
			return failf(NotFound, nil, "nothing is called %.80q: a target is an address such as route.NAME, as plan prints it", target)
		}
	}
	return nil
}

// isLeft reports whether a site is a resource that the plan leaves alone.
func (pl *planner) isLeft(t *site) bool {
	return t.ours && t.resource != nil && !pl.doomed[t.address] && pl.wanted[t.address] == nil
}

// afterwards are the resources that there will be, in no order, but for what is only implied by them.
func (pl *planner) afterwards() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for _, r := range pl.wanted {
			if !yield(r) {
				return
			}
		}
		for _, t := range pl.s.sites {
			if !pl.e.isImplied(t.address) && pl.isLeft(t) && !yield(t.resource) {
				return
			}
		}
	}
}
