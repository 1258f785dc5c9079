package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Network is what nginx reaches upstreams by. Of the settings it needs the resolvers, whether there is IPv6, and the CA file.
type Network struct {
	Settings resources.Settings
	Deny     Deny
	// Timeout is for one lookup, and for one question.
	Timeout time.Duration
	// System resolves a name as other programs of the host do, with /etc/hosts and the search list. It only helps to explain.
	System func(ctx context.Context, name string) ([]string, error)

	cas     authorities
	readCAs sync.Once
}

// ErrSilent is the cause with which a context ends when an answer is no longer waited for: one that ends with another was
// interrupted.
var ErrSilent = errors.New("did not answer in time")

// A LookupError says why nginx would not find an upstream's addresses.
type LookupError struct {
	Reason string
	Advice string // what helps, if that is known
}

func (e *LookupError) Error() string {
	if e.Advice == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Advice
}

// Lookup returns the addresses that nginx will look for a host at. Where there are several DNS servers, nginx asks them in
// turn: all of them have to know a name, and what any of them says counts. Addresses that are found are returned
// beside an error, too; that is a *[LookupError], or the cause of ctx.
func (n *Network) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	u := resources.Upstream{Host: host}
	switch {
	case u.Addr().IsValid():
		return []netip.Addr{u.Addr()}, nil
	case !u.ByName():
		return n.Settings.Loopbacks(), nil
	case len(n.Settings.Resolvers) == 0:
		return nil, &LookupError{Reason: "nginx has no DNS server to ask for " + host, Advice: "use an address, or name a server in /etc/resolv.conf"}
	}
	timed, cancel := context.WithTimeoutCause(ctx, n.Timeout, ErrSilent)
	defer cancel()
	addrs, err := n.lookupName(timed, host)
	if e, ok := errors.AsType[*LookupError](err); ok && e.Advice != "" {
		n.compare(ctx, host, e)
	}
	return addrs, err
}

func (n *Network) lookupName(ctx context.Context, name string) ([]netip.Addr, error) {
	servers := n.Settings.Resolvers
	found, errs := make([][]netip.Addr, len(servers)), make([]error, len(servers))
	done := make(chan struct{}, len(servers))
	for i, s := range servers {
		go func() {
			found[i], errs[i] = server(s).lookup(ctx, name, n.Settings.IPv6)
			done <- struct{}{}
		}()
	}
	for range servers {
		<-done
	}
	var addrs []netip.Addr
	for _, a := range slices.Concat(found...) {
		if a = a.Unmap(); !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ErrSilent) {
		return addrs, cause
	}
	for i, err := range errs {
		if err != nil {
			return addrs, n.explain(name, servers[i], err)
		}
	}
	return addrs, nil
}

// explain makes an error of what became of a question to one server.
func (n *Network) explain(name string, server netip.AddrPort, err error) *LookupError {
	if said, ok := errors.AsType[refusal](err); ok {
		return &LookupError{
			Reason: fmt.Sprintf("nginx's DNS server %s %s", server, strings.Replace(said.Error(), "the name", name, 1)),
			Advice: "use an address, or make a DNS record",
		}
	}
	if errors.Is(err, ErrSilent) {
		return &LookupError{Reason: fmt.Sprintf("nginx's DNS server %s did not answer within %s", server, n.Timeout)}
	}
	return &LookupError{Reason: fmt.Sprintf("nginx's DNS server %s could not be asked for %s: %s", server, name, plain.NetError(err))}
}

// compare adds that the host knows a name which DNS does not.
func (n *Network) compare(ctx context.Context, name string, e *LookupError) {
	ctx, cancel := context.WithTimeoutCause(ctx, n.Timeout, ErrSilent)
	defer cancel()
	if addrs, err := n.System(ctx, name); err == nil && len(addrs) > 0 {
		e.Reason += "; this host knows it by /etc/hosts or its search list, which nginx does not read"
	}
}
