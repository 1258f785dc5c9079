package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

func encode(t *testing.T, p *plan.Plan) string {
	t.Helper()
	var b bytes.Buffer
	is.New(t).NoErr(p.Encode(&b))
	return b.String()
}

func TestPlansSurviveJSON(t *testing.T) {
	for name, p := range map[string]*plan.Plan{
		"an empty plan":              {},
		"one with all there is":      examplePlan(),
		"one with HTML and newlines": {Request: json.RawMessage("{ \"a\" : \"<&>\\u003c\u2028\" }\n"), Warnings: []string{"<&>\u2028\x00"}},
		"one with a foreign name":    {Fingerprints: []plan.Fingerprint{{Path: "/etc/caf\xe9", State: "absent"}}, Request: json.RawMessage(`"\ufffd"`)},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			p.FormatVersion = plan.FormatVersion
			is.NoErr(p.Seal())
			text := encode(t, p)
			read, err := plan.Parse([]byte(text))
			is.NoErr(err)
			is.Equal(read.ID, p.ID)
			is.Equal(encode(t, read), text) // the same bytes again
			is.Equal(read.String(), p.String())

			escaped, err := json.Marshal(p) // as part of an answer over HTTP, say
			is.NoErr(err)
			read, err = plan.Parse(escaped)
			is.NoErr(err)
			is.Equal(read.ID, p.ID)
		})
	}
}

func TestJSONIsFitToRead(t *testing.T) {
	is := is.New(t)
	text := encode(t, &plan.Plan{FormatVersion: plan.FormatVersion, Operation: "a < b"})
	is.Equal(text, `{
  "format_version": "1.0",
  "id": "",
  "tool_version": "",
  "operation": "a < b",
  "request": null,
  "summary": {
    "create": 0,
    "update": 0,
    "delete": 0,
    "unchanged": 0,
    "drifted": 0
  },
  "changes": [],
  "steps": [],
  "fingerprints": []
}
`)
}

func TestListsAreNeverNullInsideOtherJSON(t *testing.T) {
	is := is.New(t)
	b, err := json.Marshal(map[string]any{"value": plan.Plan{}, "pointer": &plan.Plan{}})
	is.NoErr(err)
	is.Equal(strings.Count(string(b), "null"), 2) // both requests
}

func TestEditedPlansAreRefused(t *testing.T) {
	is := is.New(t)
	p := examplePlan()
	is.NoErr(p.Seal())
	text := encode(t, p)
	for _, damaged := range []string{
		strings.Replace(text, "nginx -t", "nginx -T", 1),
		strings.Replace(text, `"create": 1`, `"create": 2`, 1),
		strings.Replace(text, p.ID[:8], "00000000", 1),
	} {
		_, err := plan.Parse([]byte(damaged))
		is.True(damaged != text && errors.Is(err, plan.ErrDamaged))
	}
	_, err := plan.Parse([]byte(text[:len(text)/2]))
	is.True(err != nil)
}
