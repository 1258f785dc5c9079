package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// Hosts is a block of names in a file such as /etc/hosts. What others wrote around the block stays. Without entries the
// block goes.
//
// Several resources may each keep a part of one file: [engine.Builder.State] is what those before it make of the file.
type Hosts struct {
	File    string                `json:"file"`
	Entries map[string]netip.Addr `json:"entries"`
}

const hostsType = "hosts"

// Address names the resource in plans.
func (h Hosts) Address() string { return hostsType + ".local" }

// Plan adds the one step that a change of the file needs. The engine makes its diff, replaces the file in one piece, and
// puts the old one back if any step of the plan fails or the machine loses power: nothing of that is written here.
func (h Hosts) Plan(_ context.Context, _ *host.Observer, b *engine.Builder) error {
	before, err := b.State(h.File) // also what another resource of the same plan makes of it
	if err != nil {
		return err
	}
	rest, had, err := cutBlock(string(before.Content))
	if err != nil {
		return fmt.Errorf("%s: %w", h.File, err)
	}
	block := h.block()
	switch {
	case block == had:
		return nil
	case had == "":
		b.Change(plan.Create, "the names are not in the file")
	case block == "":
		b.Change(plan.Delete, "no names are wanted any more")
	default:
		b.Change(plan.Update, "the names in the file are others")
	}
	_, err = b.WriteFile(h.File, []byte(rest+block), 0o644)
	return err
}

const (
	blockStart = "# begin of custom-resource\n"
	blockEnd   = "# end of custom-resource\n"
)

// block is the text of the entries, in an order that never changes: the same resource, the same bytes.
func (h Hosts) block() string {
	if len(h.Entries) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(blockStart)
	for _, name := range slices.Sorted(maps.Keys(h.Entries)) {
		fmt.Fprintf(&b, "%s %s\n", h.Entries[name], name)
	}
	b.WriteString(blockEnd)
	return b.String()
}

// cutBlock takes the block out of a file's text.
func cutBlock(text string) (rest, block string, err error) {
	before, from, found := strings.Cut(text, blockStart)
	if !found {
		return text, "", nil
	}
	inside, after, found := strings.Cut(from, blockEnd)
	if !found {
		return "", "", fmt.Errorf("a line %q is missing", strings.TrimSpace(blockEnd))
	}
	return before + after, blockStart + inside + blockEnd, nil
}

// decodeHosts reads the resource back from a saved plan. What is in a file is checked like any other input.
func decodeHosts(b []byte) (engine.Resource, error) {
	var h Hosts
	if err := json.Unmarshal(b, &h); err != nil {
		return nil, err
	}
	return NewHosts(h.File, h.Entries)
}

// NewHosts checks what would otherwise become lines of somebody else's making.
func NewHosts(file string, entries map[string]netip.Addr) (Hosts, error) {
	for name, addr := range entries {
		if name == "" || strings.ContainsFunc(name, isNotHostname) {
			return Hosts{}, fmt.Errorf("%q is not a host's name", name)
		}
		if !addr.IsValid() || addr.Zone() != "" {
			return Hosts{}, fmt.Errorf("%s has no address", name)
		}
	}
	return Hosts{file, entries}, nil
}

func isNotHostname(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.')
}
