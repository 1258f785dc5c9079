package facade

import (
	_ "embed"
	"net/http"
)

// The document is written by hand, since half of it is prose for whoever generates a client. A test holds it against the
// endpoints and against real answers, key by key.
//
//go:embed openapi.json
var openAPIDocument []byte

func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	limitWrites(w)
	_, _ = w.Write(openAPIDocument)
	return nil
}
