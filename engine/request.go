package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Request is what is wanted of a host. [Desired], [Put], [Delete] and [Destroy] make the common ones.
type Request struct {
	// Operation is the command that asks, for people: it changes nothing.
	Operation    string                  `json:"operation"`
	Routes       []resources.Route       `json:"routes,omitempty"`
	Certificates []resources.Certificate `json:"certificates,omitempty"`
	// Resources are resources of your own.
	Resources Resources `json:"resources,omitempty"`
	// RequiredVersion and NginxVersion are constraints (">= 1.18") that this program and nginx must meet.
	RequiredVersion string `json:"required_version,omitempty"`
	NginxVersion    string `json:"nginx_version,omitempty"`
	// KeepUnlisted leaves managed routes alone that are not in Routes. Without it they are planned as deletions.
	KeepUnlisted bool `json:"keep_unlisted,omitempty"`
	// Delete names routes to remove. One that is not there is an error.
	Delete []string `json:"delete,omitempty"`
	// Targets limits the changes to these addresses.
	Targets []string `json:"targets,omitempty"`
	// Issue obtains the certificates that enabled routes lack.
	Issue bool `json:"issue,omitempty"`
	// Obtain names routes that get their certificate, if it is missing, unfit or due; Renew those that get it anew anyhow.
	Obtain []string `json:"obtain,omitempty"`
	Renew  []string `json:"renew,omitempty"`
	// Email is the address the CA gets for the certificates in Obtain; empty for the one of the options.
	Email string `json:"email,omitempty"`
	// Due renews all certificates whose time has come, see [RenewDue].
	Due bool `json:"due,omitempty"`
	// Reload has nginx load its configuration and certificates, though nothing else is to be done.
	Reload bool `json:"reload,omitempty"`
	// Rollback is the id of the apply whose changes are taken back.
	Rollback string `json:"rollback,omitempty"`
	// Adopt takes over a file that the program did not write.
	Adopt *Adoption `json:"adopt,omitempty"`
	// Precondition, if set, sees each named route as it is when the change is about to be made, with nobody else
	// writing, and may refuse the change. A route that is not there has no name. It is no part of a plan.
	Precondition func(RouteStatus) error `json:"-"`

	checked bool // the upstreams have been asked already
}

// An Adoption makes a managed route of an existing site.
type Adoption struct {
	File string `json:"file"` // of the site, absolute
	Name string `json:"name"` // the droplet name it gets
}

// Desired asks for a whole desired state: what is managed and not in it goes.
func Desired(d resources.Desired) Request {
	return Request{
		Operation: "apply", Routes: d.Routes, Certificates: d.Certificates, Issue: true,
		RequiredVersion: d.RequiredVersion, NginxVersion: d.NginxVersion,
	}
}

// Put asks for these routes beside those that are there.
func Put(routes ...resources.Route) Request {
	return Request{Operation: "put", Routes: routes, KeepUnlisted: true}
}

// Delete asks for the routes of these names to go.
func Delete(names ...string) Request {
	return Request{Operation: "delete", Delete: names, KeepUnlisted: true}
}

// Destroy asks for everything that is managed to go.
func Destroy() Request { return Request{Operation: "destroy"} }

// A Resource is a thing of your own that the engine plans and applies together with its routes, with the same diff,
// undo and crash recovery. The engine keeps no list of them: one that is no longer in a request stays as it is, so a
// resource that should go says so by itself.
type Resource interface {
	// Address names it by type and name, such as "dns_record.www". The type is the decoder's name, see [Options].
	Address() string
	// Plan looks at the host through o, and only through it, and adds to b what has to be done. It changes nothing.
	// The value is encoded as JSON into the plan, so that a saved plan can be applied.
	Plan(ctx context.Context, o *host.Observer, b *Builder) error
}

// A Decoder makes a resource of its JSON, as it stands in a saved plan.
type Decoder func(b []byte) (Resource, error)

// DecodeJSON is the decoder of a resource type that encoding/json can read. Unknown fields are an error.
func DecodeJSON[R Resource](b []byte) (Resource, error) {
	var r R
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	return r, err
}

// Resources are resources of one's own in a request.
type Resources []Resource

type encodedResource struct {
	Address string          `json:"address"`
	Spec    json.RawMessage `json:"spec"`
}

// MarshalJSON encodes each resource under its address.
func (rs Resources) MarshalJSON() ([]byte, error) {
	list := make([]encodedResource, len(rs))
	for i, r := range rs {
		b, err := json.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", r.Address(), err)
		}
		list[i] = encodedResource{r.Address(), b}
	}
	return json.Marshal(list)
}

// parseRequest reads a request as a plan holds it. Every route in it passes the constructor again.
func (e *Engine) parseRequest(b []byte) (Request, error) {
	type plain Request
	var wire struct {
		plain
		Routes       []json.RawMessage `json:"routes"`
		Certificates []json.RawMessage `json:"certificates"`
		Resources    []encodedResource `json:"resources"`
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&wire); err != nil {
		return Request{}, failf(InvalidInput, err, "the plan's request can't be read")
	}
	req := Request(wire.plain)
	for _, raw := range wire.Routes {
		r, err := resources.ParseRoute(raw)
		if err != nil {
			return req, invalid(err)
		}
		req.Routes = append(req.Routes, r)
	}
	for _, raw := range wire.Certificates {
		c, err := resources.ParseCertificate(raw)
		if err != nil {
			return req, invalid(err)
		}
		req.Certificates = append(req.Certificates, c)
	}
	for _, enc := range wire.Resources {
		kind, _, _ := strings.Cut(enc.Address, ".")
		decode, ok := e.opts.Resources[kind]
		if !ok {
			return req, failf(InvalidInput, nil, "the plan holds %s, and no decoder for %q is registered (Options.Resources)", enc.Address, kind)
		}
		r, err := decode(enc.Spec)
		if err != nil {
			return req, failf(InvalidInput, err, "the plan's %s can't be read", enc.Address)
		}
		req.Resources = append(req.Resources, r)
	}
	return req, nil
}
