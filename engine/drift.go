package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A DriftKind says how a resource differs from what was written.
type DriftKind string

const (
	Edited    DriftKind = "edited"     // the file, its rights or its header
	Missing   DriftKind = "missing"    // the file is gone
	Unlinked  DriftKind = "unlinked"   // the link was removed, or added
	NotLoaded DriftKind = "not_loaded" // the files are right, and the running nginx has loaded others
	NotServed DriftKind = "not_served" // the files are right, and nginx does not run
	Conflict  DriftKind = "conflict"   // something else on the host claims the same, or what it refers to is taken or refused
)

// A Drift is a resource that was changed behind the program's back.
type Drift struct {
	Address string    `json:"address"`
	File    string    `json:"file"`
	Kind    DriftKind `json:"kind"`
	// Diff leads back to what was written; empty where only the desired state knows what that was.
	Diff    string `json:"diff"`
	Message string `json:"message"`
}

// Drift holds every managed site against its own description, in the header of its file, and returns those that differ, by
// address. What can't be had of one hides nothing of the others: a domain that something else claims as well is a [Conflict]
// of its own, whose message names the other file. It changes nothing.
func (e *Engine) Drift(ctx context.Context) ([]Drift, error) {
	s, err := e.survey(ctx)
	if err != nil {
		return nil, err
	}
	list := []Drift{}
	req := Request{Operation: "drift", KeepUnlisted: true}
	for _, address := range slices.Sorted(maps.Keys(s.sites)) {
		switch t := s.sites[address]; {
		case !t.ours || e.isImplied(address):
		case t.resource == nil:
			list = append(list, unreadable(t))
		default:
			req.Resources = append(req.Resources, t.resource)
		}
	}
	pl := newPlanner(e, req, s)
	pl.tolerated = map[string][]error{}
	p, err := pl.plan(ctx)
	if err != nil {
		return nil, err
	}
	for address, errs := range pl.tolerated {
		for _, err := range errs {
			list = append(list, Drift{Address: address, File: pl.place(address).path, Kind: Conflict, Message: err.Error()})
		}
	}
	for _, c := range p.plan.Changes {
		if c.Drifted {
			list = append(list, Drift{c.Address, pl.place(c.Address).path, pl.drifted[c.Address], diffOf(p.plan, c.Address), c.Reason})
		}
	}
	slices.SortFunc(list, func(a, b Drift) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Message, b.Message))
	})
	return list, nil
}

// unreadable is the drift of a site that no longer says what it was made from.
func unreadable(t *site) Drift {
	d := Drift{Address: t.address, File: t.path, Kind: Edited, Message: "its file no longer says what it was made from: apply or put it anew"}
	switch {
	case t.other, t.astray != nil:
		d.Message = t.damaged.Error() + ": 'proxy-manager recover' heals what can be"
	case !t.file.Exists:
		d.Kind, d.Message = Missing, "its file was removed: apply or put it anew"
	}
	return d
}

func diffOf(p *plan.Plan, address string) string {
	var b strings.Builder
	for _, s := range p.Steps {
		if s.Address == address {
			b.WriteString(s.Diff)
		}
	}
	return b.String()
}
