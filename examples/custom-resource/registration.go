package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A Registration is the address under which a registry knows a service. It is no file, so it needs a kind of step of its
// own: [Announce].
type Registration struct {
	Registry string `json:"registry"` // its base URL
	Service  string `json:"service"`
	// Endpoint is where the service is; empty for one that is to be forgotten.
	Endpoint string `json:"endpoint"`
}

const registrationType = "registration"

// Address names the resource in plans.
func (r Registration) Address() string { return registrationType + "." + r.Service }

// Plan asks the registry what it knows. Note makes the answer a fingerprint of the plan: if it is another when the plan is
// applied, the plan is stale.
func (r Registration) Plan(ctx context.Context, o *host.Observer, b *engine.Builder) error {
	now, err := registry(r.Registry).get(ctx, r.Service)
	if err != nil {
		return err
	}
	o.Note(r.Registry+"/services/"+r.Service, "endpoint "+now.Endpoint)
	if now.Endpoint == r.Endpoint {
		return nil
	}
	spec, err := json.Marshal(announcement{r, now.Endpoint})
	if err != nil {
		return err
	}
	b.Change(actionOf(now.Endpoint, r.Endpoint), fmt.Sprintf("the registry has %q and not %q", now.Endpoint, r.Endpoint))
	return b.Step(plan.Step{
		Kind:        Announce{}.Name(),
		Description: fmt.Sprintf("announce %s at %q", r.Service, r.Endpoint),
		Undo:        fmt.Sprintf("announce it at %q again", now.Endpoint),
		Spec:        spec,
	})
}

func actionOf(was, want string) plan.Action {
	switch {
	case was == "":
		return plan.Create
	case want == "":
		return plan.Delete
	default:
		return plan.Update
	}
}

// An announcement is what a step of the kind Announce knows: all that it takes to do it and to take it back.
type announcement struct {
	Registration
	Was string `json:"was"`
}

// Announce is the step kind that tells the registry. It remembers nothing between calls: Undo may be called by another
// process, after a crash, with what the journal has.
type Announce struct{}

// Name is the kind's name in plans. The dot keeps it apart from the engine's own.
func (Announce) Name() string { return "registry.announce" }

// Do tells the registry. The receipt is the revision that this made: Undo replaces that and no other.
func (Announce) Do(ctx context.Context, _ *engine.Host, step plan.Step) (json.RawMessage, error) {
	var a announcement
	if err := json.Unmarshal(step.Spec, &a); err != nil {
		return nil, err
	}
	made, err := registry(a.Registry).set(ctx, a.Service, a.Endpoint, "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(made)
}

// Undo puts back what the registry had before, unless somebody else has changed it since. Without a receipt the process
// may have died before Do's call, or right after it; what the registry has now tells which.
func (Announce) Undo(ctx context.Context, host *engine.Host, step plan.Step, receipt json.RawMessage) error {
	var a announcement
	if err := json.Unmarshal(step.Spec, &a); err != nil {
		return err
	}
	var made entry
	if receipt != nil {
		if err := json.Unmarshal(receipt, &made); err != nil {
			return err
		}
	}
	now, err := registry(a.Registry).get(ctx, a.Service)
	if err != nil {
		return err
	}
	ours := now == made || receipt == nil && now.Endpoint == a.Endpoint
	if !ours {
		host.Logger.InfoContext(ctx, "the registry's entry is not ours to take back", "service", a.Service, "endpoint", now.Endpoint)
		return nil // never announced, taken back already, or somebody else's by now
	}
	_, err = registry(a.Registry).set(ctx, a.Service, a.Was, now.Revision)
	return err
}
