package resources

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/go-version"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// Desired is everything that is wanted of a host: the content of proxies.json.
type Desired struct {
	// RequiredVersion and NginxVersion are constraints on the versions of this program and of nginx, in the language of
	// hashicorp/go-version: ">= 1.18, < 2". Empty admits every version.
	RequiredVersion, NginxVersion string
	Routes                        []Route
	Certificates                  []Certificate
}

type desiredJSON[R, C any] struct {
	Schema          string `json:"$schema,omitempty"` // for editors; it says nothing about the host
	RequiredVersion string `json:"required_version,omitempty"`
	NginxVersion    string `json:"nginx_version,omitempty"`
	Routes          []R    `json:"routes"`
	Certificates    []C    `json:"certificates,omitempty"`
}

// maxDesiredJSON bounds the desired state: a hundred thousand routes of usual size fit.
const maxDesiredJSON = 32 << 20

// ParseDesired reads a desired state and checks all of it. An error is a *[FieldError] that names the place, such as
// routes[2].domain, or a *[DomainConflict].
func ParseDesired(b []byte) (Desired, error) {
	var j desiredJSON[RouteFields, CertificateFields]
	if err := strictjson.Decode(b, maxDesiredJSON, &j); err != nil {
		return Desired{}, decodeError(err)
	}
	d := Desired{RequiredVersion: j.RequiredVersion, NginxVersion: j.NginxVersion}
	var err error
	if d.Routes, err = each("routes", j.Routes, NewRoute); err != nil {
		return Desired{}, err
	}
	if d.Certificates, err = each("certificates", j.Certificates, NewCertificate); err != nil {
		return Desired{}, err
	}
	return d, d.Check()
}

// each makes resources of a list of fields.
func each[F, R any](field string, list []F, build func(F) (R, error)) ([]R, error) {
	var rs []R
	for i, f := range list {
		r, err := build(f)
		if err != nil {
			return nil, fields.Under(element(field, i), err)
		}
		rs = append(rs, r)
	}
	return rs, nil
}

func element(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// Check reports what is wrong with resources that are good one by one: two of the same name, a domain in two routes, or
// a constraint on a version that is none. [ParseDesired] has called it.
func (d Desired) Check() error {
	if _, err := constraints("required_version", d.RequiredVersion); err != nil {
		return err
	}
	if _, err := constraints("nginx_version", d.NginxVersion); err != nil {
		return err
	}
	if err := distinct("routes", "droplet_name", d.Routes); err != nil {
		return err
	}
	if err := distinct("certificates", "name", d.Certificates); err != nil {
		return err
	}
	return checkDomains(d.Routes)
}

func distinct[R interface{ Name() string }](list, field string, rs []R) error {
	first := make(map[string]int, len(rs))
	for i, r := range rs {
		if j, taken := first[r.Name()]; taken {
			return &FieldError{
				Field:      element(list, i) + "." + field,
				Constraint: "must differ from that of " + element(list, j),
				Value:      strictjson.Quote(r.Name()),
			}
		}
		first[r.Name()] = i
	}
	return nil
}

func checkDomains(routes []Route) error {
	owner := make(map[string]string, len(routes))
	for _, r := range routes {
		for _, domain := range r.Domains() {
			if first, taken := owner[domain]; taken {
				return &DomainConflict{Domain: domain, First: first, Second: r.Address()}
			}
			owner[domain] = r.Address()
		}
	}
	return nil
}

// maxConstraint bounds a constraint on a version.
const maxConstraint = 256

// constraints reads a constraint on a version; nil admits every version.
func constraints(field, s string) (version.Constraints, error) {
	if s == "" {
		return nil, nil
	}
	wrong := fieldError(field, s, `must be a constraint on a version, such as ">= 1.18, < 2"`)
	if len(s) > maxConstraint {
		return nil, wrong
	}
	c, err := version.NewConstraint(s)
	if err != nil {
		return nil, wrong
	}
	return c, nil
}

// Admits checks the versions of this program and of nginx against the constraints. A version that is nil fits only where
// nothing is asked of it.
func (d Desired) Admits(program, nginx *version.Version) error {
	if err := admits("required_version", d.RequiredVersion, "proxy-manager", program); err != nil {
		return err
	}
	return admits("nginx_version", d.NginxVersion, "nginx", nginx)
}

func admits(field, constraint, what string, v *version.Version) error {
	c, err := constraints(field, constraint)
	if err != nil || c == nil {
		return err
	}
	if v == nil {
		return &FieldError{Field: field, Constraint: fmt.Sprintf("asks for %s %s, whose version is not known", what, constraint)}
	}
	// Core: a pre-release (1.2.0-rc1) would be refused by ">= 1.0", which is not what anybody means by it.
	if !c.Check(v.Core()) {
		return &FieldError{Field: field, Constraint: fmt.Sprintf("asks for %s %s, and this is %s", what, constraint, v)}
	}
	return nil
}

// MarshalJSON returns the form that [ParseDesired] reads.
func (d Desired) MarshalJSON() ([]byte, error) {
	j := desiredJSON[Route, Certificate]{
		RequiredVersion: d.RequiredVersion, NginxVersion: d.NginxVersion, Routes: d.Routes, Certificates: d.Certificates,
	}
	if j.Routes == nil {
		j.Routes = []Route{}
	}
	return json.Marshal(j)
}
