package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// lineage looks a certificate up, once for each plan.
func (pl *planner) lineage(name string) (*certificate.Lineage, error) {
	if l, ok := pl.certs.known[name]; ok {
		return l, nil
	}
	l, err := pl.e.lineage(pl.s.obs, name)
	if err == nil {
		pl.certs.known[name] = l
	}
	return l, err
}

// lineages looks up all certificates under names with a prefix.
func (pl *planner) lineages(prefix string) ([]*certificate.Lineage, error) {
	names, err := pl.e.lineageNames(pl.s.obs, prefix)
	if err != nil {
		return nil, err
	}
	if err := pl.look(names); err != nil {
		return nil, err
	}
	list := make([]*certificate.Lineage, len(names))
	for i, name := range names {
		list[i] = pl.certs.known[name]
	}
	return list, nil
}

// look looks up those certificates that were not looked at yet.
func (pl *planner) look(names []string) error {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return pl.certs.known[name] != nil })
	list, err := pl.e.lineages(pl.s.obs, names)
	if err != nil {
		return err
	}
	for _, l := range list {
		pl.certs.known[l.Name] = l
	}
	return nil
}

// lookAtCertificates looks up what the wanted routes will need, all at once: one after the other, a thousand take long.
func lookAtCertificates(pl *planner) error {
	var names []string
	for _, r := range pl.wanted {
		if r, ok := r.(route); ok && r.EnableSSL() && r.Enabled() {
			names = append(names, r.CertificateName())
		}
	}
	return pl.look(names)
}

// fittingLineage finds a certificate other than the own one that is good for all domains: the one that is valid longest,
// of equals the first by name.
func (pl *planner) fittingLineage(domains []string, own *certificate.Lineage) (*certificate.Lineage, error) {
	if pl.certs.byDomain == nil {
		if err := pl.indexLineages(); err != nil {
			return nil, err
		}
	}
	_, parent, _ := strings.Cut(domains[0], ".")
	var best *certificate.Lineage
	for _, l := range slices.Concat(pl.certs.byDomain[domains[0]], pl.certs.byDomain["*."+parent]) {
		if l.Name == own.Name || pl.e.otherCA(l) || !l.Valid(pl.e.opts.Clock()) || !l.Covers(domains) {
			continue
		}
		if best == nil || cmp.Or(best.Leaf.NotAfter.Compare(l.Leaf.NotAfter), cmp.Compare(l.Name, best.Name)) < 0 {
			best = l
		}
	}
	return best, nil
}

func (pl *planner) indexLineages() error {
	all, err := pl.lineages("")
	if err != nil {
		return err
	}
	pl.certs.byDomain = map[string][]*certificate.Lineage{}
	for _, l := range all {
		if l.Leaf == nil {
			continue
		}
		for _, name := range l.Leaf.DNSNames {
			pl.certs.byDomain[name] = append(pl.certs.byDomain[name], l)
		}
	}
	return nil
}

// isCertificate reports whether an address is that of a certificate of the program's own, or of a route's.
func (pl *planner) isCertificate(address string) bool {
	name, ok := strings.CutPrefix(address, certificateAddress(""))
	if !ok || strings.ContainsAny(name, "/\x00") {
		return false
	}
	if _, isRoute := pl.routeAfterwards(name); isRoute {
		return true
	}
	l, err := pl.lineage(resources.FilePrefix + name)
	return err == nil && l.Managed
}
