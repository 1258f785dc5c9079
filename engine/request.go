package engine

import (
	"bytes"
	"encoding/json"

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
	// Delete has the addresses of resources to remove. One that is not there is an error.
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
	// AcceptLosses takes the site over though its route does not do all that it does. What closes the site, its HTTPS, its
	// addresses and its redirects are never lost.
	AcceptLosses bool `json:"accept_losses,omitempty"`
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
	req := Request{Operation: "delete", KeepUnlisted: true}
	for _, name := range names {
		req.Delete = append(req.Delete, routeAddress(name))
	}
	return req
}

// Destroy asks for everything that is managed to go.
func Destroy() Request { return Request{Operation: "destroy"} }

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
			return req, Invalid(err)
		}
		req.Routes = append(req.Routes, r)
	}
	for _, raw := range wire.Certificates {
		c, err := resources.ParseCertificate(raw)
		if err != nil {
			return req, Invalid(err)
		}
		req.Certificates = append(req.Certificates, c)
	}
	for _, enc := range wire.Resources {
		r, err := e.decode(kindName(enc.Address), enc.Spec)
		if err != nil {
			return req, failf(InvalidInput, err, "the plan's %s can't be read", enc.Address)
		}
		req.Resources = append(req.Resources, r)
	}
	return req, nil
}

// resources are all that the request lists, as the planner knows them.
func (r Request) resources() []Resource {
	all := make([]Resource, 0, len(r.Routes)+len(r.Certificates)+len(r.Resources))
	for _, x := range r.Routes {
		all = append(all, route{x})
	}
	for _, x := range r.Certificates {
		all = append(all, listedCertificate{x})
	}
	return append(all, r.Resources...)
}
