package facade

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// writePatience is how long one write may take to a client that does not read, and slowestClient, in bytes a second,
	// what a longer answer gives it in addition.
	writePatience = 30 * time.Second
	slowestClient = 256 << 10
	// minCompressed is from how many bytes on an answer is worth to be compressed.
	minCompressed = 1 << 10
)

const jsonMedia = "application/json"

// writeJSON answers with v. The error is of v, or says that too many clients have yet to read what they have asked for; a
// client that is gone is nobody to tell of it.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	return send(w, status, jsonMedia, body)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // nobody shows this as HTML, and diffs are to be read
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return b.Bytes(), nil
}

// send answers with a body of its own, which waits in memory until the client has read it. All that wait may have only so
// many bytes, see [outgoing].
func send(w http.ResponseWriter, status int, media string, body []byte) error {
	if takesGzip(w) && len(body) >= minCompressed {
		body = compress(body)
		w.Header().Set("Content-Encoding", "gzip")
	}
	if a, ok := w.(*answer); ok {
		leave, err := a.outgoing.enter(int64(len(body)))
		if err != nil {
			w.Header().Del("Content-Encoding")
			return err
		}
		defer leave()
	}
	sendEncoded(w, status, media, body)
	return nil
}

// sendEncoded answers with a body as it is, which other answers may share.
func sendEncoded(w http.ResponseWriter, status int, media string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	limitWrites(w, len(body))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// limitWrites bounds how long the client may take to read what is written from now on, of so many bytes. There is no such
// limit on a whole request: an answer may take certbot's minutes to come.
func limitWrites(w http.ResponseWriter, size int) {
	patience := writePatience + time.Duration(size)*time.Second/slowestClient
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience)) // not every writer has one
}

func takesGzip(w http.ResponseWriter) bool {
	a, ok := w.(*answer)
	return ok && a.gzip
}

// acceptsGzip reports whether a client takes answers that are compressed so (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	accepted := false
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(strings.ToLower(part), ";")
		weight, weighted := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		good := !weighted || err == nil && q > 0
		switch strings.TrimSpace(coding) {
		case "gzip", "x-gzip":
			return good
		case "*":
			accepted = good
		}
	}
	return accepted
}

// A compressor takes a megabyte, so there are no more than can work at a time. None waits for a client.
var (
	compressing = make(chan struct{}, runtime.GOMAXPROCS(0))
	compressors = sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is a good one
		return z
	}}
)

func compress(body []byte) []byte {
	compressing <- struct{}{}
	defer func() { <-compressing }()
	var b bytes.Buffer
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(&b)
	_, _ = z.Write(body) // into memory
	_ = z.Close()
	return b.Bytes()
}
