package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Encode writes the plan as indented JSON that [Parse] reads back, with a newline at its end. The characters <, > and &
// are written as they are: a plan is read by people, and is no part of a web page.
func (p *Plan) Encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(p); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// MarshalJSON returns the plan's one JSON form, which its ID is the digest of: an empty list is [], never null, and a plan
// that was written and read back has the same form again.
func (p Plan) MarshalJSON() ([]byte, error) {
	b, err := marshalPlain(p)
	if err != nil || !bytes.Contains(b, []byte(`\ufffd`)) {
		return b, err
	}
	// Bytes that are not UTF-8, such as in a foreign file's name, are written as an escape, but once read back as the
	// character U+FFFD itself. One round through JSON settles that.
	var read Plan
	if err := json.Unmarshal(b, &read); err != nil {
		return nil, err
	}
	return marshalPlain(read)
}

func marshalPlain(p Plan) ([]byte, error) {
	p.Changes = orEmpty(p.Changes)
	p.Steps = orEmpty(p.Steps)
	p.Fingerprints = orEmpty(p.Fingerprints)

	type plain Plan // has no MarshalJSON
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the outer encoder decides
	if err := e.Encode(plain(p)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
