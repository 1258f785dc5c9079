package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Resource is a thing that is wanted of a host. Routes, certificates and the files that routes share are resources, and
// a program can bring its own: they are planned and applied together, with the same diff, undo and crash recovery. What
// more a resource is able to do it says by the interfaces below.
//
// A resource that is not a [Site] stays as it is when it is no longer in a request: one that should go says so by itself.
type Resource interface {
	// Address names it by kind and name, such as "dns_record.www". The kind is its decoder's name, see [Options].
	Address() string
	// Plan looks at the host through o, and only through it, and adds to b what has to be done. It changes nothing.
	// The value is encoded as JSON into the plan, so that a saved plan can be applied.
	Plan(ctx context.Context, o *host.Observer, b *Builder) error
}

// A Site is a resource that is a file among nginx's sites: fpai-_KIND-NAME.conf in sites-available, with a link of the same
// name in sites-enabled. Its Plan calls [Builder.Site] with the text. The file's header holds the resource, as JSON, so the
// engine knows it again from the directory: it is listed, its drift is seen, and it goes when a whole desired state no
// longer has it.
type Site interface {
	Resource
	// Enabled reports whether nginx reads the file: only then is there a link to it.
	Enabled() bool
}

// A Claimer has something on the host that no other resource may have as well.
type Claimer interface{ Claims() []Claim }

// A Claim is what one resource alone may have.
type Claim struct {
	// What is claimed: "domain", "listener" or a word of one's own.
	What string
	Name string
}

func (c Claim) String() string { return c.What + " " + c.Name }

// domainName is what sites that are not managed claim, too.
const domainName = "domain"

func domainClaim(name string) Claim { return Claim{domainName, name} }

// A Dependent can't do without other resources. They are there as long as it is, and enabled; what is only ever needed, and
// never listed, goes with the last that needs it.
type Dependent interface{ Needs() []Resource }

// A Decoder makes a resource of its JSON, as it stands in a saved plan and in the header of a [Site].
type Decoder func(b []byte) (Resource, error)

// DecodeJSON is the decoder of a kind of resource that encoding/json can read. Unknown fields are an error.
func DecodeJSON[R Resource](b []byte) (Resource, error) {
	var r R
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(&r)
	return r, err
}

// A kind is what the engine knows of one kind of resource.
type kind struct {
	name   string
	decode Decoder
	// implied: such resources are never listed, but there while another needs them.
	implied bool
	// want adds to the wanted resources what the request asks for in this kind's own words, such as certificates that are
	// due.
	want func(*planner) error
	// prepare looks up all at once what the wanted resources will ask for one by one.
	prepare func(*planner) error
	// finish plans what follows from all of the others, such as the deletion of what nothing needs.
	finish func(context.Context, *planner) error
}

// builtinResources are the kinds of resource that the engine brings.
func builtinResources() []kind {
	return []kind{
		{name: resources.RouteKind, decode: decodeRoute},
		{name: resources.SharedKind, decode: decodeShared, implied: true},
		{name: certificateKind, decode: decodeCertificate, want: wantCertified, prepare: lookAtCertificates, finish: planCertificates},
	}
}

// knowKinds makes the engine know its own kinds of resource and those of the options.
func (e *Engine) knowKinds() error {
	e.order = builtinResources()
	for _, name := range slices.Sorted(maps.Keys(e.opts.Resources)) {
		e.order = append(e.order, kind{name: name, decode: e.opts.Resources[name]})
	}
	e.kinds = map[string]kind{}
	for i := range e.order {
		k := &e.order[i]
		if _, taken := e.kinds[k.name]; taken {
			return failf(InvalidInput, nil, "two kinds of resource are named %q (Options.Resources)", k.name)
		}
		if k.decode == nil || !resources.IsKind(k.name) {
			return failf(InvalidInput, nil, "%q is no kind of resource: its name must be a letter, then letters, digits and '_', and it needs a decoder (Options.Resources)", k.name)
		}
		k.fill()
		e.kinds[k.name] = *k
	}
	return nil
}

// fill makes what a kind leaves out do nothing.
func (k *kind) fill() {
	nothing := func(*planner) error { return nil }
	if k.want == nil {
		k.want = nothing
	}
	if k.prepare == nil {
		k.prepare = nothing
	}
	if k.finish == nil {
		k.finish = func(context.Context, *planner) error { return nil }
	}
}

// kindName returns the name of the kind that an address has in front.
func kindName(address string) string {
	name, _, _ := strings.Cut(address, ".")
	return name
}

// kindOf returns the kind that an address has in front.
func (e *Engine) kindOf(address string) (kind, bool) {
	k, ok := e.kinds[kindName(address)]
	return k, ok
}

// isImplied reports whether an address is of a kind that is there only while others need it.
func (e *Engine) isImplied(address string) bool {
	k, ok := e.kindOf(address)
	return ok && k.implied
}

// decode makes a resource of a kind from its JSON.
func (e *Engine) decode(kind string, spec []byte) (r Resource, err error) {
	k, ok := e.kinds[kind]
	if !ok {
		return nil, fmt.Errorf("no decoder for %.80q is registered (Options.Resources)", kind)
	}
	err = guarded(e.log, "the decoder of "+kind, func() (err error) {
		r, err = k.decode(spec)
		return err
	})
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
