package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Served means asked: after a reload the changed sites are asked for through every listener they have, by name, for a token
// that only this apply knows. It lies in the webroot of ACME challenges, which every generated server answers from, so that
// the answer proves the listener and the server that nginx chooses for the name; that it is the configuration just
// loaded, the reload itself proves.

// A Named site is asked for by these names once it is loaded. It answers ACME challenges for them from the webroot.
type Named interface {
	Site
	Names() []string
}

// An ask is one name through one listener.
type ask struct {
	Name    string `json:"name"`
	Address string `json:"address"` // host:port
	TLS     bool   `json:"tls,omitempty"`
	// DependsOn is the step without which the name is not served so.
	DependsOn string `json:"depends_on,omitempty"`

	site string // the address of the resource
}

// maxAsks bounds how many questions follow a reload, chosen evenly, so that each listener is among them: one costs both sides
// a fraction of a millisecond, and workers that answer some of the changed sites have loaded all of them.
const maxAsks = 64

// asksFor are the questions for a site's names over HTTP, or over HTTPS.
func (pl *planner) asksFor(r Named, https bool) []ask {
	names := r.Names()
	port := pl.s.settings.HTTPPort
	if https {
		port = pl.s.settings.HTTPSPort
	}
	var asks []ask
	for _, address := range pl.listeners(port) {
		for _, name := range names {
			asks = append(asks, ask{Name: name, Address: address, TLS: https, site: r.Address()})
		}
	}
	return asks
}

// askChanged plans the questions about a site that changes: over HTTP, and over HTTPS once it has a certificate.
func (pl *planner) askChanged(r Resource, cert bool) {
	n, ok := r.(Named)
	if !ok || !n.Enabled() {
		return
	}
	pl.asks = append(pl.asks, pl.asksFor(n, false)...)
	if cert {
		pl.asks = append(pl.asks, pl.asksFor(n, true)...)
	}
}

// askOthers plans questions about sites that stay, where nothing but what they share changes.
func (pl *planner) askOthers() {
	const enough = 4
	for _, address := range slices.Sorted(maps.Keys(pl.s.sites)) {
		t := pl.s.sites[address]
		if !t.ours || !t.enabled || pl.doomed[address] || len(pl.asks) >= enough {
			continue
		}
		will := t.resource
		if wanted := pl.wanted[address]; wanted != nil {
			will = wanted
		}
		pl.askChanged(will, t.managed.Certificate != nil)
	}
}

// listeners are addresses of this host, one for each way in which a connection to a port reaches generated servers: loopback
// for those that listen everywhere, and each address that another site listens on by itself, for which nginx looks at no
// other.
func (pl *planner) listeners(port int) []string {
	if known, ok := pl.ways[port]; ok {
		return known
	}
	taken := map[string]bool{}
	for _, site := range pl.s.foreign {
		for _, l := range site.Listens {
			if addr, err := netip.ParseAddr(l.Address); err == nil && l.Port == port && !addr.IsUnspecified() {
				taken[addr.Unmap().String()] = true
			}
		}
	}
	addresses := map[string]bool{}
	for _, socket := range pl.s.settings.Sockets(port) {
		switch own := resources.ParseSocket(socket); own.Address {
		case "":
			candidates := []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}
			if i := slices.IndexFunc(candidates, func(a string) bool { return !taken[a] }); i >= 0 {
				addresses[candidates[i]] = true
			}
		case "::":
			addresses["::1"] = !taken["::1"]
		default:
			addresses[own.Address] = true
		}
	}
	for a := range taken {
		if !netip.MustParseAddr(a).IsLoopback() && pl.s.settings.ListensEverywhere(a) { // nobody comes from elsewhere by loopback
			addresses[a] = true
		}
	}
	var ways []string
	for _, a := range slices.Sorted(maps.Keys(addresses)) {
		if addresses[a] {
			ways = append(ways, net.JoinHostPort(a, strconv.Itoa(port)))
		}
	}
	pl.ways[port] = ways
	return ways
}

// own is where the own listener at a port is reached from this host.
func (e *Engine) own(port int) string {
	address := "127.0.0.1"
	if listen := e.opts.Nginx.Listen; len(listen) > 0 && !slices.Contains(listen, "*") {
		if address = strings.Trim(listen[0], "[]"); address == "::" {
			address = "::1"
		}
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// verifyAsked asks for a token, through all listeners at once.
func (a *application) verifyAsked(ctx context.Context, asks []ask) error {
	asks = slices.DeleteFunc(slices.Clone(asks), func(q ask) bool { return a.missing[q.DependsOn] })
	if len(asks) == 0 {
		return nil
	}
	if dir := a.e.closedTo(a.was.Paths, acme.ChallengeDir(a.e.Webroot())); dir != "" {
		a.e.warn(ctx, a.tx.ID(), fmt.Sprintf("what visitors get could not be asked for: nginx's workers can't enter %s, so they can't answer a CA's challenges either; run chmod o+x on it, or choose another state directory", dir))
		return nil
	}
	token, remove, err := a.e.putToken()
	if err != nil {
		return err
	}
	defer remove()
	return host.ForEach(len(asks), 8, func(i int) error {
		q := asks[i]
		err := a.e.askUntil(ctx, nginx.Question{Address: q.Address, TLS: q.TLS, Name: q.Name, Path: token.path, Want: token.want})
		if err != nil {
			return failf(RouteNotServed, err, "nginx has loaded its configuration, but %s is not served by it", q.Name).
				with("domain", q.Name).with("listener", q.Address)
		}
		return nil
	})
}

// askUntil asks again for two seconds: new workers run and no old one accepts, so this is only for a listener that is slow to
// be seen.
func (e *Engine) askUntil(ctx context.Context, q nginx.Question) error {
	for deadline := time.Now().Add(2 * time.Second); ; {
		err := e.nginx.Ask(ctx, q)
		if err == nil || time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A token is a file in the webroot that nobody else knows of.
type token struct{ path, want string }

func (e *Engine) putToken() (t token, remove func(), err error) {
	// Not the injected ids: nothing that is kept depends on it, and nobody may guess it.
	name := "served-" + rand.Text()
	t = token{path: path.Join("/.well-known/acme-challenge", name), want: rand.Text()}
	file := filepath.Join(acme.ChallengeDir(e.Webroot()), name)
	if err := host.Create(e.fs, file, plan.File([]byte(t.want), 0o644), &plan.State{}, false); err != nil {
		return t, nil, failf(ConfigWriteFailed, err, "write a token to be asked for")
	}
	return t, func() { _ = e.fs.Remove(file) }, nil
}

// closedTo returns the first folder on the way to a directory that nginx's workers can't enter, or "".
func (e *Engine) closedTo(paths nginx.Paths, dir string) string {
	master, err := e.nginx.Master(paths.PIDFile)
	if err != nil {
		return ""
	}
	uid, gid, ok := nginx.WorkersUser(master)
	if !ok || uid == 0 {
		return ""
	}
	for at := dir; ; at = filepath.Dir(at) {
		if info, err := e.fs.Lstat(at + "/."); err == nil && !mayEnter(info, uid, gid) {
			return at
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

func mayEnter(info fs.FileInfo, uid, gid uint32) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	switch perm := info.Mode().Perm(); {
	case !ok:
		return true
	case st.Uid == uid:
		return perm&0o100 != 0
	case st.Gid == gid:
		return perm&0o010 != 0
	default:
		return perm&0o001 != 0
	}
}
