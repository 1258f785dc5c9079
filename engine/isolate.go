package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

// A Healing is a file or link of the program's own that was damaged, and is again what its header says.
type Healing struct {
	Address string `json:"address"`
	File    string `json:"file"`
	Reason  string `json:"reason"`
}

// An Isolation is a route that was disabled by itself, because nginx could not start with it, or what it was made from is
// lost.
type Isolation struct {
	Address string `json:"address"`
	Route   string `json:"droplet_name"` // the name in it
	File    string `json:"file"`         // it is kept as it is
	Reason  string `json:"reason"`       // in nginx's words, where it is nginx that refuses it
}

// A mending makes nginx able to start where files of the program's own keep it from that: they were removed, emptied, cut
// short or swapped, a certificate has vanished, a new nginx refuses what the old one took. What can be known is written anew,
// from headers that are whole; the link to what can't be is removed, and the rest serves. What is not the program's is left
// as it is; then that is the complaint.
type mending struct {
	e         *Engine
	healed    []Healing
	isolated  []Isolation
	aside     []string          // files that were in the way
	complaint string            // of nginx, if it still refuses its configuration
	cleared   map[string]header // places from which something was put aside, with what that said of itself
	tried     map[string]bool   // addresses that were healed once
}

func (m *mending) did() bool { return len(m.healed)+len(m.isolated)+len(m.aside) > 0 }

// mend does all that can be done. On an error, m says what was done before it.
func (e *Engine) mend(ctx context.Context) (m *mending, err error) {
	m = &mending{e: e, cleared: map[string]header{}, tried: map[string]bool{}}
	if err := m.clear(); err != nil {
		return m, err
	}
	for {
		refusal, err := m.test(ctx)
		if err != nil {
			return m, err
		}
		// Each round heals or disables something, and nothing twice: so there is an end.
		done, err := m.round(ctx, refusal)
		if err != nil || !done {
			return m, err
		}
	}
}

// test asks nginx. Without an nginx there is no refusal, and it can't start either.
func (m *mending) test(ctx context.Context) (*nginx.Refusal, error) {
	m.complaint = ""
	if _, err := m.e.build(ctx); err != nil {
		m.complaint = err.Error()
		return nil, nil
	}
	err := m.e.nginx.Test(ctx)
	refusal, refused := errors.AsType[*nginx.Refusal](err)
	if err == nil {
		return nil, nil
	}
	m.complaint = err.Error()
	if refused {
		return refusal, nil
	}
	return nil, failf(NginxBroken, err, "test nginx's configuration")
}

// clear puts aside what is no file, or too large to be read, in place of a file or link of ours: it can't be journaled, and
// whatever it is, somebody may want it.
func (m *mending) clear() error {
	sites, err := m.e.readSites(m.e.observer())
	if err != nil {
		return err
	}
	for _, address := range slices.Sorted(maps.Keys(sites)) {
		t := sites[address]
		switch {
		case t.other && t.enabled:
			m.cleared[address] = m.headerOfLarge(t.path)
			err = m.putAside(t.path)
		case t.blocked && t.ours:
			m.cleared[address] = header{managed: t.managed, resource: t.resource}
			err = m.putAside(t.link)
		}
		if err != nil {
			return failf(ConfigWriteFailed, err, "put aside what is in place of %s", t.path)
		}
	}
	return nil
}

// maxLarge is up to what size, in bytes, a file that is too large for a site is read for its header.
const maxLarge = 64 << 20

func (m *mending) headerOfLarge(path string) header {
	info, err := m.e.fs.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxLarge {
		return header{}
	}
	b, err := m.e.fs.ReadFile(path)
	if err != nil {
		return header{}
	}
	return m.e.readHeader(b)
}

// putAside gives what is at a path a name that nginx never reads, and that no resource has.
func (m *mending) putAside(path string) error {
	dir := m.e.opts.Nginx.SitesAvailable
	name := host.Join(dir, filepath.Base(path)+".aside-"+m.e.opts.NewID())
	if err := m.e.fs.Rename(path, name); err != nil {
		return err
	}
	m.aside = append(m.aside, name)
	return errors.Join(m.e.fs.SyncDir(filepath.Dir(path)), m.e.fs.SyncDir(dir))
}

// round heals or disables what is damaged, as far as one look and one refusal tell.
func (m *mending) round(ctx context.Context, refusal *nginx.Refusal) (done bool, err error) {
	sites, err := m.e.readSites(m.e.observer())
	if err != nil {
		return false, err
	}
	damages := m.damages(sites, refusal)
	if len(damages) == 0 && refusal == nil {
		return false, nil
	}
	steps, rewritten := m.rewrite(ctx, m.known(sites, damages, refusal), func(shared string) bool {
		return refusal != nil || damages[shared] != ""
	})
	var changes []plan.Change
	for _, address := range slices.Sorted(maps.Keys(damages)) {
		t, reason := sites[address], damages[address]
		switch {
		case rewritten[address]:
			m.tried[address] = true
			changes = append(changes, plan.Change{Address: address, Action: plan.Update, Reason: "it was damaged: " + reason})
		case (t.linkState.IsLink() || t.stray) && !m.e.isShared(address):
			changes = append(changes, plan.Change{Address: address, Action: plan.Update, Reason: "nginx can't start with it: " + reason})
			steps = append(steps, pathStep(address, t.link, t.linkState, &plan.State{}))
		}
	}
	for address := range rewritten {
		if damages[address] == "" {
			damages[address] = "it was not as it was written"
			changes = append(changes, plan.Change{Address: address, Action: plan.Update, Reason: damages[address]})
		}
	}
	if len(steps) == 0 {
		return false, nil
	}
	if err := m.e.carryOut(ctx, changes, steps); err != nil {
		return false, err
	}
	m.note(ctx, sites, changes, damages, rewritten)
	return true, nil
}

func (m *mending) note(ctx context.Context, sites map[string]*site, changes []plan.Change, damages map[string]string, rewritten map[string]bool) {
	for _, c := range changes {
		t := cmp.Or(sites[c.Address], m.e.newSite(c.Address))
		if rewritten[c.Address] {
			m.healed = append(m.healed, Healing{t.address, t.path, damages[c.Address]})
			m.e.log.WarnContext(ctx, "a damaged file was written anew", "address", t.address, "damage", damages[c.Address])
			continue
		}
		m.isolated = append(m.isolated, Isolation{t.address, nameOf(t.address), t.path, damages[c.Address]})
		m.e.log.ErrorContext(ctx, "a route was disabled", "address", t.address, "error", damages[c.Address])
	}
}

// damages says of each place what is wrong there. Where nginx refuses its configuration, what it complains of is wrong, too.
func (m *mending) damages(sites map[string]*site, refusal *nginx.Refusal) map[string]string {
	found := map[string]string{}
	for address, t := range sites {
		if reason := m.damageOf(t, refusal != nil); reason != "" {
			found[address] = reason
		}
	}
	if refusal == nil || len(found) > 0 {
		return found
	}
	for address, t := range sites {
		if t.linkState.Exists && concerns(refusal, t) {
			found[address] = refusal.Error()
		}
	}
	if quarrel.MatchString(refusal.Reason) && !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(a string) bool { return sites[a].edited() }) {
		// nginx complains of the second of two: rather the one that was changed is the wrong one.
		edited := map[string]string{}
		for address, t := range sites {
			if t.edited() && (t.enabled || t.stray) && !m.tried[address] {
				edited[address] = refusal.Error()
			}
		}
		if len(edited) > 0 {
			return edited
		}
	}
	return found
}

// quarrel is nginx's complaint of two that can't both be.
var quarrel = regexp.MustCompile(`duplicate|already|conflict`)

// edited reports whether a site of ours is not as it was written.
func (t *site) edited() bool { return t.ours && (t.damaged != nil || t.managed.Drifted || t.stray) }

// damageOf says what is wrong with a place that needs no nginx to be seen, and "" where nothing is.
func (m *mending) damageOf(t *site, refused bool) string {
	_, cleared := m.cleared[t.address]
	switch {
	case cleared && !m.tried[t.address] && (t.linkState.Exists || t.ours && t.file.Exists):
		return errOther.Error()
	case !t.linkState.Exists:
		return ""
	case t.linkState.IsLink() && !t.enabled && (t.ours || !t.file.Exists) && m.leadsNowhere(t.link):
		return "its link leads nowhere"
	case t.stray && t.linkState.IsLink():
		return "its link leads elsewhere"
	case t.enabled && !t.file.Exists:
		return "its file was removed"
	case t.enabled && (errors.Is(t.damaged, errTorn) || errors.Is(t.damaged, errAstray)):
		return t.damaged.Error()
	case refused && t.ours && t.enabled:
		if _, err := nginxconf.Parse(t.path, t.file.Content); err != nil {
			return err.Error()
		}
	}
	return ""
}

func (m *mending) leadsNowhere(link string) bool {
	_, err := m.e.fs.Lstat(link + "/.")
	if err == nil {
		return false // a directory
	}
	_, err = m.e.fs.ReadFile(link)
	return err != nil
}

// concerns reports whether nginx complains of a site: it names the file, or quotes one that the site makes it read, whatever
// file it names. Of an include that can't be opened it names the includer's line, and of a certificate no line at all.
func concerns(refusal *nginx.Refusal, t *site) bool {
	if samePlace(refusal.File, t.link) || samePlace(refusal.File, t.path) {
		return true
	}
	for _, m := range quotedPath.FindAllStringSubmatch(refusal.Reason, -1) {
		if samePlace(m[1], t.link) || samePlace(m[1], t.path) || t.ours && t.readsCertificate(m[1]) {
			return true
		}
	}
	return false
}

func (t *site) readsCertificate(path string) bool {
	c := t.managed.Certificate
	return c != nil && (path == c.Fullchain || path == c.PrivateKey)
}

// samePlace reports whether two paths are one, their directories by whatever name.
func samePlace(a, b string) bool {
	return a == b || filepath.Base(a) == filepath.Base(b) && sameDir(filepath.Dir(a), filepath.Dir(b))
}

// known are the resources of the damaged places that are still known: from their own headers, or from those of files that
// were swapped. One that was healed in vain, or whose certificate nginx can't load, is not to be written as it was.
func (m *mending) known(sites map[string]*site, damages map[string]string, refusal *nginx.Refusal) []Resource {
	astray := map[string]Resource{}
	for _, t := range sites {
		if t.astray != nil {
			astray[t.astray.Address()] = t.astray
		}
	}
	var list []Resource
	for address := range damages {
		t := sites[address]
		r := t.resource
		if h := m.cleared[address]; r == nil && h.err == nil {
			r = h.resource
		}
		if r == nil {
			r = astray[address]
		}
		lost := refusal != nil && damages[address] == refusal.Error() && t.resource != nil && concernsCertificate(refusal, t)
		if r == nil || r.Address() != address || m.tried[address] || lost || m.e.isImplied(address) {
			continue
		}
		list = append(list, r)
	}
	return list
}

func concernsCertificate(refusal *nginx.Refusal, t *site) bool {
	return slices.ContainsFunc(quotedPath.FindAllStringSubmatch(refusal.Reason, -1), func(m []string) bool { return t.readsCertificate(m[1]) })
}

// rewrite returns the steps that write resources, and what routes share if that is to be mended, as they have to be, and the
// addresses that they change. Where that can't be planned for all of them, each is tried.
func (m *mending) rewrite(ctx context.Context, list []Resource, mend func(shared string) bool) (steps []journal.Step, rewritten map[string]bool) {
	rewritten = map[string]bool{}
	s, err := m.e.survey(ctx)
	if err != nil {
		return nil, rewritten // nginx itself says more
	}
	for len(list) > 0 {
		if steps, err = m.planRewrite(ctx, s, list); err == nil {
			break
		}
		m.e.log.WarnContext(ctx, "a damaged file can't be written anew", "address", list[0].Address(), "error", err)
		list = list[1:]
	}
	if len(list) == 0 {
		if steps, err = m.planRewrite(ctx, s, nil); err != nil {
			return nil, rewritten
		}
	}
	wanted := map[string]bool{}
	for _, r := range list {
		wanted[r.Address()] = true
	}
	steps = slices.DeleteFunc(steps, func(step journal.Step) bool {
		needed := step.After.Exists && !m.tried[step.Address] && (!step.Before.Exists || mend(step.Address))
		return !wanted[step.Address] && !needed
	})
	for _, step := range steps {
		rewritten[step.Address] = true
		m.tried[step.Address] = true
	}
	return steps, rewritten
}

func (m *mending) planRewrite(ctx context.Context, s *survey, list []Resource) ([]journal.Step, error) {
	pl := newPlanner(m.e, Request{Operation: "recover", KeepUnlisted: true, Resources: list}, s)
	if err := pl.resolve(); err != nil {
		return nil, err
	}
	for _, k := range m.e.order {
		if err := k.prepare(pl); err != nil {
			return nil, err
		}
	}
	err := guarded(m.e.log, "what is written anew", func() error { return pl.planSites(ctx) })
	return pl.siteSteps(), err
}

// carryOut does path steps as an apply of its own, without nginx's consent: it is nginx that they are to mend.
func (e *Engine) carryOut(ctx context.Context, changes []plan.Change, steps []journal.Step) error {
	complete(steps)
	p := &planned{plan: &plan.Plan{Operation: "recover", Changes: changes, Summary: summarise(changes)}, steps: steps}
	a := e.newApplication(ctx, p, nginx.Paths{})
	if _, err := a.carryOut(ctx, 0); err != nil {
		return err
	}
	if err := a.tx.Finish(); err != nil {
		e.log.WarnContext(ctx, "the change is made, but its journal could not be put away", "error", err)
	}
	return nil
}

// reloadMended lets a running nginx take up what was mended. One that does not run will when it is started.
func (e *Engine) reloadMended(ctx context.Context) {
	if err := e.bringBack(ctx, place{}); err != nil {
		e.log.WarnContext(ctx, "nginx could not be reloaded", "error", err)
	}
}

// mendingFirst runs f, and if it fails because files of the program's own are damaged, heals those, or disables them, and
// runs it once more: so that no damage to one route keeps others from being changed. It returns what was mended, in words.
func (e *Engine) mendingFirst(ctx context.Context, f func() error) (mended []string, err error) {
	if err = f(); !isDamage(err) {
		return nil, err
	}
	mended, merr := e.mendNow(ctx)
	if merr != nil || len(mended) == 0 {
		return nil, errors.Join(err, merr)
	}
	return mended, f()
}

// mendNow mends what it can, and tells of it.
func (e *Engine) mendNow(ctx context.Context) (mended []string, err error) {
	m, err := e.mend(ctx)
	if !m.did() {
		return nil, err
	}
	e.reloadMended(ctx)
	mended = append(mendedLines(m.healed, m.isolated), keptLines(m.aside)...)
	for _, text := range mended {
		e.warn(ctx, "", text)
	}
	return mended, err
}

// isDamage reports whether an error can be the doing of damaged files. Nothing was changed then.
func isDamage(err error) bool {
	if err == nil || OutcomeOf(err) != Untouched {
		return false
	}
	_, refused := errors.AsType[*nginx.Refusal](err)
	return refused && CodeOf(err) == NginxBroken || errors.Is(err, errOther)
}

func keptLines(names []string) []string {
	lines := make([]string, len(names))
	for i, name := range names {
		lines[i] = "what somebody else had put there is kept in " + name
	}
	return lines
}

// mendedLines tell people what was done, one sentence each.
func mendedLines(healed []Healing, isolated []Isolation) []string {
	var lines []string
	for _, h := range healed {
		lines = append(lines, fmt.Sprintf("%s was damaged, and is written anew as %s: %s", h.Address, h.File, h.Reason))
	}
	for _, i := range isolated {
		lines = append(lines, fmt.Sprintf("%s was disabled, and its file %s kept: %s; put it again, or delete it", i.Address, i.File, strings.TrimSuffix(i.Reason, ".")))
	}
	return lines
}
