// Package registry reads the droplets of a Registry, and finds out which of them can be routed.
package registry

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade/internal/foreign"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A Client asks a Registry, which knows the droplets that are to be reached. The Registry is only ever read, and nothing it
// says is trusted: its answer is bounded in time and size, and each record passes the same checks as any other input.
type Client struct {
	url  string
	http *http.Client
}

const (
	timeout     = 3 * time.Second // so that whoever asks for a sync is answered within five
	maxList     = 4 << 20         // bytes
	maxKey      = 64 << 10
	maxDroplets = 10_000
)

// New returns a client of the Registry at a base URL. Without a URL everything it is asked fails with the code
// RegistryNotConfigured; what else fails has the code RegistryUnavailable.
func New(url string) *Client {
	return &Client{url: strings.TrimRight(url, "/"), http: foreign.Client(timeout)}
}

// fetch gets one document of at most limit bytes.
func (c *Client) fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	if c.url == "" {
		return nil, &engine.Error{Code: engine.RegistryNotConfigured, Message: "no Registry is configured: set REGISTRY_URL"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, unavailable("REGISTRY_URL is no URL that can be asked")
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable("the Registry could not be asked: %s", foreign.Reason(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, unavailable("the Registry answered %s with %d", path, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, unavailable("the Registry's answer broke off: %s", foreign.Reason(err))
	case int64(len(b)) > limit:
		return nil, unavailable("the Registry's answer is larger than %d bytes", limit)
	}
	return b, nil
}

func unavailable(format string, args ...any) error {
	return &engine.Error{Code: engine.RegistryUnavailable, Message: fmt.Sprintf(format, args...)}
}

// A droplet is one record of the Registry that can become a route.
type droplet struct {
	Name, Domain, Scheme, Host string
	Port                       int
}

// A Skipped is a record that did not become a route, and why.
type Skipped struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// droplets returns the active droplets that have a domain, and the records that were skipped.
func (c *Client) droplets(ctx context.Context) ([]droplet, []Skipped, error) {
	b, err := c.fetch(ctx, "/droplets", maxList)
	if err != nil {
		return nil, nil, err
	}
	return parseDroplets(b)
}

// parseDroplets reads either form of the Registry's answer: a bare array, or an object with the array in "droplets".
func parseDroplets(b []byte) (list []droplet, skipped []Skipped, err error) {
	var records []json.RawMessage
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		var wrapped struct {
			Droplets *[]json.RawMessage `json:"droplets"`
		}
		if err := json.Unmarshal(b, &wrapped); err != nil || wrapped.Droplets == nil {
			return nil, nil, unavailable("the Registry's answer has no array of droplets")
		}
		records = *wrapped.Droplets
	} else if err := json.Unmarshal(b, &records); err != nil || records == nil { // null is no list
		return nil, nil, unavailable("the Registry's answer is no list of droplets in JSON")
	}
	if len(records) > maxDroplets {
		return nil, nil, unavailable("the Registry's answer holds %d droplets; %d are the most that is believed", len(records), maxDroplets)
	}
	for i, raw := range records {
		d, name, err := parseDroplet(raw)
		if err != nil {
			skipped = append(skipped, Skipped{Name: cmp.Or(foreign.Clip(name, 64), fmt.Sprintf("record %d", i+1)), Reason: foreign.Clip(err.Error(), 256)})
			continue
		}
		list = append(list, d)
	}
	return list, skipped, nil
}

// A record has the fields of both forms; each is read by itself, so that a wrong one spoils no other.
type record struct {
	Name     string `json:"name"`
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Domain   string `json:"domain"`
	Status   string `json:"status"`
	Endpoint string `json:"endpoint"`
	Metadata struct {
		Domain string `json:"domain"`
	} `json:"metadata"`
}

func parseDroplet(raw json.RawMessage) (d droplet, name string, err error) {
	var named struct {
		Name string `json:"name"`
	}
	_ = json.Unmarshal(raw, &named) // only to name what is skipped
	var rec record
	if err := json.Unmarshal(raw, &rec); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return d, named.Name, fmt.Errorf("%s is not of the type that is expected", wrong.Field)
		}
		return d, named.Name, errors.New("not a record of a droplet")
	}
	if !isActive(rec.Status) {
		return d, rec.Name, fmt.Errorf("not active: its status is %.32q", rec.Status)
	}
	d = droplet{Name: rec.Name, Domain: cmp.Or(rec.Domain, rec.Metadata.Domain), Host: rec.Host, Port: rec.Port}
	if d.Domain == "" {
		return d, rec.Name, errors.New("it has no domain")
	}
	if rec.Endpoint != "" {
		if err := d.setEndpoint(rec.Endpoint); err != nil {
			return d, rec.Name, err
		}
	}
	_, err = d.route(resources.Route{})
	return d, rec.Name, err
}

// isActive reports whether a droplet is to be reached: the words are those of the Universal Droplet Contract for a
// droplet's state and for its health.
func isActive(status string) bool {
	return slices.Contains([]string{"", "active", "healthy", "degraded"}, strings.ToLower(status))
}

// setEndpoint takes host and port from "http://host:port", with the scheme's own port if none is given. What else an
// endpoint may have would be lost in a route, so it is refused.
func (d *droplet) setEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Fragment != "":
		return errors.New("its endpoint is not of the form http://host:port")
	case u.User != nil:
		return errors.New("its endpoint has a user in it, which a route can't have")
	case u.Path != "" && u.Path != "/":
		return errors.New("its endpoint has a path, which a route's upstream can't have")
	case u.RawQuery != "" || u.ForceQuery:
		return errors.New("its endpoint has a query, which a route's upstream can't have")
	}
	port := cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	d.Scheme, d.Host = u.Scheme, u.Hostname()
	if d.Port, err = strconv.Atoi(port); err != nil {
		return errors.New("its endpoint has no port that is a number")
	}
	return nil
}

// route makes a route of a droplet. What the Registry does not know is as it was in the present route, if there is one.
func (d droplet) route(present resources.Route) (resources.Route, error) {
	var f resources.RouteFields
	if !present.IsZero() {
		f = present.Fields()
	}
	f.DropletName, f.Domain = d.Name, d.Domain
	f.UpstreamHost, f.UpstreamPort, f.UpstreamScheme = d.Host, d.Port, d.Scheme
	return resources.NewRoute(f)
}
