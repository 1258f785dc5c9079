package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// certificates is what a planner knows of the host's certificates and what is to become of them.
type certificates struct {
	known    map[string]*certificate.Lineage   // those that were looked at, by name
	byDomain map[string][]*certificate.Lineage // all of them, by name that they are for; nil until needed
	answered map[string]bool                   // names that an enabled route will answer challenges for; nil until needed
	used     map[string]bool                   // lineages that routes will use
	needed   map[string]bool                   // lineages that something else will use
	unused   []string                          // lineages that nothing uses any more, and that is news
	shows    []handshake                       // what nginx must present once the first phase has taken effect
	retries  map[string]bool                   // routes whose certificate is tried for again by itself
}

func newCertificates() certificates {
	return certificates{known: map[string]*certificate.Lineage{}, used: map[string]bool{}, needed: map[string]bool{}, retries: map[string]bool{}}
}

// An obtaining is a certificate to be had from the CA, and the files that take it into use.
type obtaining struct {
	lineage string
	step    journal.Step
	use     []journal.Step
	shows   []handshake
	asks    []ask
}

// certificateOf returns the certificate a route can be served with now, and the one it has to get first, if any.
func (pl *planner) certificateOf(r resources.Route) (*resources.CertificateFiles, *certificateSpec, error) {
	if !r.EnableSSL() || !r.Enabled() {
		return nil, nil, nil
	}
	want, listed, err := pl.certificateFor(r)
	if err != nil {
		return nil, nil, err
	}
	own, err := pl.lineage(want.LineageName())
	if err != nil {
		return nil, nil, err
	}
	why := pl.whyObtain(own, want, listed, r)
	if why == "" {
		return pl.use(own), nil, nil
	}
	if !slices.Contains(pl.req.Renew, r.Name()) {
		other, err := pl.fittingLineage(r.Domains(), own)
		if err != nil {
			return nil, nil, err
		}
		if other != nil {
			return pl.use(other), nil, nil
		}
	}
	now, err := pl.stopgap(own, r)
	if err != nil {
		return nil, nil, err
	}
	if !pl.mayObtain(r.Name()) {
		pl.warnUnfit(r, now, why)
		return now, nil, nil
	}
	spec, err := pl.obtainSpec(own, want, listed)
	if err != nil {
		return nil, nil, err
	}
	pl.certs.used[own.Name] = true
	return now, spec, nil
}

// use notes that a route will be served with a lineage.
func (pl *planner) use(l *certificate.Lineage) *resources.CertificateFiles {
	pl.certs.used[l.Name] = true
	files := l.Files
	return &files
}

// certificateFor is the certificate resource of a route: the listed one of its name, one that is listed for all its
// domains, or the one that it implies.
func (pl *planner) certificateFor(r resources.Route) (c resources.Certificate, listed bool, err error) {
	for _, c := range pl.req.Certificates {
		if c.Name() != r.Name() {
			continue
		}
		for _, d := range r.Domains() {
			if !slices.Contains(c.Domains(), d) {
				return c, true, failf(InvalidInput, nil, "%s is listed by hand and lacks %s, a domain of %s: list it too, or leave the certificate to the route", c.Address(), d, r.Address()).
					with("field", "domains").with("constraint", "must hold every domain of its route")
			}
		}
		return c, true, nil
	}
	for _, c := range pl.req.Certificates {
		if names := c.Domains(); !slices.ContainsFunc(r.Domains(), func(d string) bool { return !slices.Contains(names, d) }) {
			return c, true, nil
		}
	}
	email := pl.e.opts.ACME.Email
	if slices.Contains(pl.req.Obtain, r.Name()) {
		email = cmp.Or(pl.req.Email, email)
	}
	if c, err = r.Certificate(email); err != nil {
		return c, false, Invalid(err)
	}
	return c, false, nil
}

// whyObtain says why the certificate has to be had from the CA; "" where it is as it should be.
func (pl *planner) whyObtain(l *certificate.Lineage, want resources.Certificate, listed bool, r resources.Route) string {
	switch {
	case l.Leaf == nil:
		return "needed for HTTPS"
	case !l.Valid(pl.e.opts.Clock()):
		return "expired " + l.Leaf.NotAfter.UTC().Format("2006-01-02")
	case !l.Covers(want.Domains()):
		return "its names change"
	case slices.Contains(pl.req.Renew, r.Name()):
		return "asked for"
	case !l.Managed:
		return ""
	case pl.e.otherCA(l):
		return pl.caChanges(l)
	case listed && certificate.KeyType(l.Leaf) != want.KeyType():
		return "its key type changes"
	case slices.Contains(pl.req.Obtain, r.Name()) && pl.e.due(l):
		return "due"
	}
	for _, name := range l.Leaf.DNSNames {
		if !slices.Contains(want.Domains(), name) && (listed || !pl.isAnswered(name)) {
			return "its names change" // nobody answers for that one any more, so it could never be renewed
		}
	}
	return ""
}

// otherCA reports whether a certificate of the program's own is from another CA than the one that is set.
func (e *Engine) otherCA(l *certificate.Lineage) bool {
	return l.Managed && l.Server != "" && l.Server != e.opts.ACME.DirectoryURL
}

func (pl *planner) caChanges(l *certificate.Lineage) string {
	return fmt.Sprintf("its CA changes: %s -> %s", l.Server, pl.e.opts.ACME.DirectoryURL)
}

// mayObtain reports whether the request lets a route's certificate be had from the CA.
func (pl *planner) mayObtain(name string) bool {
	return pl.req.Issue || slices.Contains(pl.req.Obtain, name) || pl.certs.retries[name]
}

// stopgap is what a route is served with until its certificate is there: what it has now, as long as nginx can load it
// and it is for one of its domains. An expired one, too: to fall back to HTTP would take a site down that sends HSTS.
func (pl *planner) stopgap(own *certificate.Lineage, r resources.Route) (*resources.CertificateFiles, error) {
	t := pl.s.sites[r.Address()]
	if t != nil && t.managed.Certificate != nil {
		l, err := pl.lineage(lineageAt(t.managed.Certificate.Fullchain))
		if err != nil {
			return nil, err
		}
		if l.Files == *t.managed.Certificate && l.CoversAny(r.Domains()) {
			return pl.use(l), nil
		}
	}
	if own.Valid(pl.e.opts.Clock()) && own.Covers(r.Domains()) {
		return pl.use(own), nil
	}
	return nil, nil
}

func (pl *planner) warnUnfit(r resources.Route, now *resources.CertificateFiles, why string) {
	if now == nil {
		pl.warnings = append(pl.warnings, fmt.Sprintf("%s has no certificate yet and answers over HTTP only: run 'proxy-manager ssl %s'", r.Address(), r.Name()))
		return
	}
	pl.warnings = append(pl.warnings, fmt.Sprintf("the certificate of %s has to be obtained anew (%s): run 'proxy-manager ssl %s'", r.Address(), why, r.Name()))
}

// obtainSpec says what the CA is asked for, and refuses what can't be had.
func (pl *planner) obtainSpec(l *certificate.Lineage, want resources.Certificate, listed bool) (*certificateSpec, error) {
	if !l.Managed && (l.Known || l.There) {
		return nil, failf(UnmanagedFile, nil, "certbot has a certificate %s that this program did not have issued, and that does not fit %s: rename or delete it with certbot, or list a certificate of another name", l.Name, want.Address()).
			with("file", l.Files.Fullchain)
	}
	if err := pl.checkAnswered(want); err != nil {
		return nil, err
	}
	spec := &certificateSpec{
		Lineage: l.Name, Domains: want.Domains(), Email: cmp.Or(want.Email(), pl.e.opts.ACME.Email), KeyType: want.KeyType(),
		Asked: !pl.req.Due,
	}
	if !listed && l.Leaf != nil {
		pl.keepAsWas(spec, l)
	}
	return spec, nil
}

// checkAnswered refuses a certificate for a name whose challenge nobody would answer.
func (pl *planner) checkAnswered(c resources.Certificate) error {
	for _, d := range c.Domains() {
		if !pl.isAnswered(d) {
			return failf(InvalidInput, nil, "%s can't be issued: no enabled route answers for %s, as the CA's challenge needs", c.Address(), d).
				with("field", "domains").with("constraint", "must be domains of enabled routes")
		}
	}
	return nil
}

// keepAsWas keeps what an earlier listing by hand gave the certificate: its key's type, and names of other routes.
func (pl *planner) keepAsWas(spec *certificateSpec, l *certificate.Lineage) {
	if t := certificate.KeyType(l.Leaf); t == "rsa" || t == "ecdsa" {
		spec.KeyType = t
	}
	for _, name := range slices.Sorted(slices.Values(l.Leaf.DNSNames)) {
		if pl.isAnswered(name) && !slices.Contains(spec.Domains, name) {
			spec.Domains = append(spec.Domains, name)
		}
	}
}

// isAnswered reports whether an enabled route will answer challenges for the domain.
func (pl *planner) isAnswered(domain string) bool {
	if pl.certs.answered == nil {
		pl.certs.answered = map[string]bool{}
		for r := range pl.afterwards() {
			if r, ok := r.(route); ok && r.Enabled() {
				for _, d := range r.Domains() {
					pl.certs.answered[d] = true
				}
			}
		}
	}
	return pl.certs.answered[domain]
}

// planHTTPS obtains a route's certificate and then writes the route that uses it, where that is another text. Then it says
// why the route changes.
func (pl *planner) planHTTPS(r resources.Route, t *site, first *plan.State, spec *certificateSpec) (later string, err error) {
	l, err := pl.lineage(spec.Lineage)
	if err != nil {
		return "", err
	}
	text, err := r.Render(pl.s.settings, &l.Files)
	if err != nil {
		return "", Invalid(err)
	}
	want, listed, err := pl.certificateFor(r)
	if err != nil {
		return "", err
	}
	o := pl.obtaining(l, *spec, pl.whyObtain(l, want, listed, r))
	// A certificate that is only renewed changes nothing about its route.
	if file := plan.File(text, 0o644); !host.Same(first, file) {
		o.use = append(o.use, pathStep(r.Address(), t.path, first, file))
		later = "goes to HTTPS once it has its certificate"
	}
	o.shows = append(o.shows, handshake{ServerName: r.Domain(), Fullchain: l.Files.Fullchain})
	o.asks = append(o.asks, pl.asksFor(route{r}, true)...)
	return later, nil
}

// obtaining plans to obtain a certificate, once.
func (pl *planner) obtaining(l *certificate.Lineage, spec certificateSpec, why string) *obtaining {
	i := slices.IndexFunc(pl.obtain, func(o *obtaining) bool { return o.lineage == spec.Lineage })
	if i >= 0 {
		return pl.obtain[i]
	}
	kind, action, verb := plan.RenewCertificate, plan.Update, "renew the certificate for "
	if l.Leaf == nil {
		kind, action, verb = plan.IssueCertificate, plan.Create, "obtain a certificate for "
	}
	address := certificateAddress(certificateName(spec.Lineage))
	o := &obtaining{lineage: spec.Lineage, step: certificateStep(kind, address, spec)}
	o.step.Description = verb + strings.Join(spec.Domains, ", ")
	o.step.Undo = "kept, and used by the next attempt: issuing is limited"
	pl.obtain = append(pl.obtain, o)
	pl.changes = append(pl.changes, plan.Change{Address: address, Action: action, Reason: why})
	return o
}

func certificateStep(kind, address string, spec certificateSpec) journal.Step {
	b, _ := json.Marshal(spec) // strings and booleans: can't fail
	return journal.Step{Step: plan.Step{Kind: kind, Address: address, Spec: b}}
}

// planCertificates plans the certificates that are due, those that nothing needs any more, and what nginx has yet to load;
// what is left is as it should be.
func planCertificates(ctx context.Context, pl *planner) error {
	if pl.req.Due {
		if err := pl.planDue(); err != nil {
			return err
		}
	}
	if err := pl.planUnused(); err != nil {
		return err
	}
	pl.planUnloaded(ctx)
	pl.countCertificates()
	return nil
}

// countCertificates tells of the certificates that the plan's routes and listings use as they are.
func (pl *planner) countCertificates() {
	told := map[string]bool{}
	for _, c := range pl.changes {
		told[c.Address] = true
	}
	for name := range pl.certs.used {
		address := certificateAddress(certificateName(name))
		if l := pl.certs.known[name]; l != nil && l.Managed && !told[address] {
			pl.changes = append(pl.changes, plan.Change{Address: address, Action: plan.Unchanged, Reason: "as it should be"})
		}
	}
}

// planListed plans a certificate of the request, if no route has brought it with it.
func (pl *planner) planListed(c resources.Certificate) error {
	if r, ok := pl.routeAfterwards(c.Name()); ok && !r.Enabled() {
		return nil // it is needed once the route is enabled
	}
	if err := pl.checkAnswered(c); err != nil {
		return err
	}
	if pl.certs.used[c.LineageName()] {
		return nil
	}
	l, err := pl.lineage(c.LineageName())
	if err != nil {
		return err
	}
	pl.certs.used[l.Name] = true
	why := pl.whyObtain(l, c, true, resources.Route{})
	if why == "" || !pl.req.Issue {
		return nil
	}
	spec, err := pl.obtainSpec(l, c, true)
	if err != nil {
		return err
	}
	o := pl.obtaining(l, *spec, why)
	o.shows = append(o.shows, pl.shownBy(l)...)
	return nil
}

// shownBy are the handshakes of the enabled routes that use a lineage already.
func (pl *planner) shownBy(l *certificate.Lineage) []handshake {
	var hs []handshake
	for _, h := range handshakesOf(pl.s.sites) {
		if h.Fullchain == l.Files.Fullchain {
			hs = append(hs, h)
		}
	}
	return hs
}
