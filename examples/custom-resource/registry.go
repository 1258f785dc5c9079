package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A registry is the base URL of a service that knows where services are:
//
//	GET /services/NAME            its entry, 404 if there is none
//	PUT /services/NAME            a new entry; with If-Match, only in place of that revision
//	DELETE /services/NAME         the same, for no entry
type registry string

type entry struct {
	Endpoint string `json:"endpoint"`
	Revision string `json:"revision"`
}

var errChanged = errors.New("the entry was changed by somebody else")

// get returns the zero entry where there is none.
func (r registry) get(ctx context.Context, service string) (entry, error) {
	return r.call(ctx, http.MethodGet, service, nil, "")
}

// set makes endpoint the service's, or removes its entry if endpoint is empty.
func (r registry) set(ctx context.Context, service, endpoint, revision string) (entry, error) {
	if endpoint == "" {
		return r.call(ctx, http.MethodDelete, service, nil, revision)
	}
	body, err := json.Marshal(entry{Endpoint: endpoint})
	if err != nil {
		return entry{}, err
	}
	return r.call(ctx, http.MethodPut, service, strings.NewReader(string(body)), revision)
}

func (r registry) call(ctx context.Context, method, service string, body io.Reader, revision string) (e entry, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // a step without a bound would hold the lock without one
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, string(r)+"/services/"+url.PathEscape(service), body)
	if err != nil {
		return e, err
	}
	req.Header.Set("Content-Type", "application/json")
	if revision != "" {
		req.Header.Set("If-Match", revision)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return e, err
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
		return e, json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&e)
	case http.StatusNoContent, http.StatusNotFound:
		return e, nil
	case http.StatusPreconditionFailed:
		return e, errChanged
	default:
		return e, fmt.Errorf("%s of %s at the registry: %s", method, service, res.Status)
	}
}
