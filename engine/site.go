package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A site is the place of one resource among nginx's sites, its file and its link, with what was found there.
type site struct {
	address   string
	path      string // in sites-available
	link      string // in sites-enabled
	file      *plan.State
	linkState *plan.State
	// managed is the file's header, and resource what it was made from; nil where there is no file, or it does not say.
	managed  resources.Managed
	resource Resource
	ours     bool  // the program wrote the file
	damaged  error // the program wrote it, but it no longer says what this resource was made from
	enabled  bool  // the link is there and leads to the file
	other    bool  // what is there in place of the file is none, or one that is too large to be read
	blocked  bool  // the same of the link
	stray    bool  // in place of the link is a link elsewhere, or a copy of the file
	// astray is what the file was made from that is there in place of this one's.
	astray Resource
	// changedAt is when file or link were last changed in any way; zero where the system does not tell.
	changedAt time.Time
}

// newSite returns the place of a resource that may or may not be there.
func (e *Engine) newSite(address string) *site {
	base := resources.FileName(address)
	return &site{
		address: address, path: host.Join(e.opts.Nginx.SitesAvailable, base), link: host.Join(e.opts.Nginx.SitesEnabled, base),
		file: &plan.State{}, linkState: &plan.State{},
	}
}

// readSites reads every file whose name is that of a managed one, and every link, by address.
func (e *Engine) readSites(o *host.Observer) (map[string]*site, error) {
	sites := map[string]*site{}
	var list []*site
	for _, dir := range []string{e.opts.Nginx.SitesAvailable, e.opts.Nginx.SitesEnabled} {
		names, err := o.ReadDir(dir)
		if err != nil {
			return nil, failf(ConfigReadFailed, err, "read the directory")
		}
		for _, base := range names {
			address, ok := resources.AddressOf(base)
			if !ok || sites[address] != nil {
				continue
			}
			sites[address] = e.newSite(address)
			list = append(list, sites[address])
		}
	}
	return sites, host.ForEach(len(list), host.Readers, func(i int) error { return e.readSite(o, list[i]) })
}

// readSite finds out what is in a place.
func (e *Engine) readSite(o *host.Observer, t *site) error {
	file, err := o.LookAtAny(t.path)
	if err != nil {
		return failf(ConfigReadFailed, err, "read a site")
	}
	link, err := o.LookAtAny(t.link)
	if err != nil {
		return failf(ConfigReadFailed, err, "read a link")
	}
	t.file, t.linkState = file.State, link.State
	t.changedAt = latest(file.ChangedAt(), link.ChangedAt())
	t.enabled = t.linkState.IsLink() && leadsTo(t.link, t.linkState.Target, t.path)
	t.other, t.blocked = file.Other(), link.Other()
	switch {
	case !t.file.Exists, t.other:
		// A link of ours whose file somebody removed, or put something else in place of.
		t.ours = t.enabled
		if t.ours && t.other {
			t.damaged = errOther
		}
	case !t.file.IsLink():
		e.readContent(t, file)
	}
	t.stray = t.ours && !t.enabled && t.linkState.Exists && !t.blocked && e.isStray(link)
	return nil
}

var (
	errOther  = errors.New("what is there is no file, or far too large to be a site")
	errTorn   = errors.New("the file is empty, or cut off at its first line")
	errAstray = errors.New("the file is another's")
)

// readContent finds out whose the file is.
func (e *Engine) readContent(t *site, file *host.Found) {
	h := e.headerOf(file)
	switch {
	case errors.Is(h.err, resources.ErrUnmanaged) && (resources.IsTorn(t.file.Content) || t.enabled && e.isShared(t.address)):
		t.ours, t.damaged = true, errTorn
	case errors.Is(h.err, resources.ErrUnmanaged), errors.Is(h.err, errForeignKind):
	case h.err != nil:
		t.ours, t.damaged = true, h.err
	case h.resource.Address() == t.address:
		t.ours, t.managed, t.resource = true, h.managed, h.resource
	case t.enabled:
		t.ours, t.damaged, t.managed, t.astray = true, errAstray, h.managed, h.resource
	default:
		// A copy of a managed file under another name is the work of somebody else.
	}
}

// isShared reports whether an address is that of a file which nobody but the program has: what is linked under its name is
// what became of it.
func (e *Engine) isShared(address string) bool {
	if !e.isImplied(address) {
		return false
	}
	_, err := e.decode(kindName(address), []byte("_"+nameOf(address)))
	return err == nil
}

// isStray reports whether what is in place of a link of ours can be replaced by it: a link elsewhere, or a copy of a managed
// file, such as sed -i makes of the link.
func (e *Engine) isStray(link *host.Found) bool {
	if link.State.IsLink() {
		return true
	}
	return resources.IsTorn(link.State.Content) || e.headerOf(link).err == nil
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A header is what a managed file says of itself.
type header struct {
	managed  resources.Managed
	resource Resource
	err      error
}

// errForeignKind is in the chain for a file that another program wrote, which knows a kind of resource that this one does
// not.
var errForeignKind = errors.New("a kind of resource that this program does not know")

// headerOf reads a file's header. It is read once: that costs more than finding the file unchanged.
func (e *Engine) headerOf(f *host.Found) header {
	return f.Memo(func(content []byte) any { return e.readHeader(content) }).(header)
}

// maxHeader is where to look for a header, in bytes: what somebody has appended to a file does not hide it.
const maxHeader = 1 << 20

func (e *Engine) readHeader(content []byte) (h header) {
	content = content[:min(len(content), maxHeader)]
	if h.managed, h.err = resources.ParseManaged(content); h.err != nil {
		return h
	}
	if _, known := e.kinds[h.managed.Kind]; !known {
		h.err = fmt.Errorf("%w: %s", errForeignKind, h.managed.Kind)
		return h
	}
	var err error
	if h.resource, err = e.decode(h.managed.Kind, h.managed.Spec); err != nil {
		h.err = fmt.Errorf("%w: %s: %w", resources.ErrDamaged, h.managed.Kind, err)
	}
	return h
}

// leadsTo reports whether a link with this target, at link, is a link to path.
func leadsTo(link, target, path string) bool {
	if target == path {
		return true
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(link), target)
	}
	if target = filepath.Clean(target); target == path {
		return true
	}
	// The directories may be reached by other names; the file's own name must be the same.
	return filepath.Base(target) == filepath.Base(path) && sameDir(filepath.Dir(target), filepath.Dir(path))
}

func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
