package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// browse loads a URL on connections that stay open, as a browser or another service does: when the server closes a
// connection on which it has not begun to answer, the request is sent again on another one (RFC 9112, section 9.3.1,
// which net/http follows for methods that are idempotent). It returns how many requests were answered, and how many failed.
func browse(ctx context.Context, url, host string, clients int, d time.Duration) (answered, failed int64) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var good, bad atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch ok := ask(ctx, client, url, host); {
				case ok:
					good.Add(1)
				case ctx.Err() == nil:
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	client.CloseIdleConnections()
	return good.Load(), bad.Load()
}

func ask(ctx context.Context, client *http.Client, url, host string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Host = host
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}
