package facade

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/fullpotential-ai/proxy-manager/resources"
)

// The document is written by hand, since half of it is prose for whoever generates a client. A test holds it against the
// endpoints and against real answers, key by key. What is written of resources it takes from their schema, by references
// to proxies.schema.json.
//
//go:embed openapi.json
var openAPISource []byte

var openAPIDocument = sync.OnceValue(func() []byte { return bundle(openAPISource, resources.Schema()) })

var schemaReference = regexp.MustCompile(`\{\s*"\$ref": "proxies\.schema\.json#([^"]*)"\s*\}`)

// bundle puts in place of each reference to the schema what it refers to, so that the document stands by itself. A
// reference to nothing is left as it is.
func bundle(document, schema []byte) []byte {
	return schemaReference.ReplaceAllFunc(document, func(reference []byte) []byte {
		at := json.RawMessage(schema)
		for key := range strings.SplitSeq(string(schemaReference.FindSubmatch(reference)[1]), "/") {
			if key == "" {
				continue // before the first slash
			}
			var object map[string]json.RawMessage
			if json.Unmarshal(at, &object) != nil || object[key] == nil {
				return reference
			}
			at = object[key]
		}
		return at
	})
}

// atRoot is the document's server: the one that the document comes from.
const atRoot = `"url": "/"`

func (s *Server) openAPI(w http.ResponseWriter, r *http.Request) error {
	document := openAPIDocument()
	if prefix := prefixOf(r); prefix != "" {
		server, err := encode(prefix)
		if err != nil {
			return err
		}
		document = bytes.Replace(document, []byte(atRoot), append([]byte(`"url": `), bytes.TrimSpace(server)...), 1)
	}
	return send(w, http.StatusOK, jsonMedia, document)
}
