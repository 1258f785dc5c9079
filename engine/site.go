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
	damaged  error // the program wrote it, but its header can't be read any more
	enabled  bool  // the link is there and leads to the file
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
	if !t.file.Exists {
		// A link of ours whose file somebody removed.
		t.ours = t.enabled
		return nil
	}
	if t.file.IsLink() {
		return nil
	}
	h := e.headerOf(file)
	switch {
	case errors.Is(h.err, resources.ErrUnmanaged), errors.Is(h.err, errForeignKind):
	case h.err != nil:
		t.ours, t.damaged = true, h.err
	default:
		t.managed, t.resource = h.managed, h.resource
		// A copy of a managed file under another name is the work of somebody else.
		t.ours = h.resource.Address() == t.address
	}
	return nil
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

func (e *Engine) readHeader(content []byte) (h header) {
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
