package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A shared is a file that routes share: there while one needs it, and gone with the last.
type shared string

const (
	sharedMaps    shared = "maps"
	sharedDefault shared = "default"
)

// decodeShared reads the name of a shared file, as its header has it: _maps.
func decodeShared(b []byte) (Resource, error) {
	name, _ := strings.CutPrefix(string(b), "_")
	if s := shared(name); s == sharedMaps || s == sharedDefault {
		return s, nil
	}
	return nil, fmt.Errorf("there is no shared file %.80q", b)
}

// Address is made of constants: thousands of routes ask for it.
func (s shared) Address() string {
	if s == sharedMaps {
		return resources.SharedKind + "." + string(sharedMaps)
	}
	return resources.SharedKind + "." + string(sharedDefault)
}

func (s shared) Enabled() bool { return true }

// MarshalJSON returns the name as the header has it.
func (s shared) MarshalJSON() ([]byte, error) { return json.Marshal("_" + string(s)) }

// Plan plans the file. Where every socket has a default server, ours is not needed.
func (s shared) Plan(_ context.Context, _ *host.Observer, b *Builder) error {
	pl := b.pl
	if s == sharedMaps {
		return b.site(func() ([]byte, error) { return resources.RenderMaps(pl.s.settings) })
	}
	free, err := pl.freeDefaults()
	if err != nil {
		return err
	}
	return b.site(func() ([]byte, error) { return resources.RenderDefault(pl.s.settings, free) })
}

// servesHTTPS reports whether an enabled resource will be served over HTTPS, or waits for that.
func (pl *planner) servesHTTPS() bool {
	for r := range pl.afterwards() {
		if s, ok := r.(interface{ EnableSSL() bool }); ok && s.EnableSSL() && r.(Site).Enabled() {
			return true
		}
	}
	return false
}
