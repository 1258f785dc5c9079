// Package foreign is for services that may be broken or hostile, and for what they say.
package foreign

import (
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Client returns a client that follows no redirect, goes through no proxy, unpacks nothing, and gives up after timeout.
func Client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableCompression: true, MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: timeout,
		},
	}
}

// Reason says why another service could not be asked, in few words and without its own.
func Reason(err error) string {
	if timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err); ok && timeout.Timeout() {
		return "it did not answer in time"
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return Clip(err.Error(), 120)
}

// Clip returns the first limit bytes of a text from elsewhere, with an ellipsis where there are more.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "…"
}
