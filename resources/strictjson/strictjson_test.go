package strictjson_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

type base struct {
	Name string `json:"name"`
}

type item struct {
	base
	Port   int             `json:"port"`
	Small  uint8           `json:"small"`
	Ratio  float64         `json:"ratio"`
	On     *bool           `json:"on"`
	Tags   []string        `json:"tags"`
	Inner  *item           `json:"inner"`
	Items  []item          `json:"items"`
	Labels map[string]int  `json:"labels"`
	Raw    json.RawMessage `json:"raw"`
	Any    any             `json:"any"`
	hidden int
}

func TestDecodeTakesWhatTheTypeAsksFor(t *testing.T) {
	is := is.New(t)
	var v item
	err := strictjson.Decode([]byte(`
	  {"name":"K\u00e4se é", "port":-8, "small":255, "ratio":1.5e3, "on":null, "tags":["a","b"], "inner":{"items":[]},
	   "labels":{"x":1}, "raw":{"a":[1,{"b":null}]}, "any":[true]} `), 1<<10, &v)
	is.NoErr(err)
	is.Equal(v.Name, "Käse é")
	is.Equal(v.Port, -8)
	is.Equal(v.Ratio, 1500.0)
	is.Equal(v.Tags, []string{"a", "b"})
	is.Equal(v.Labels["x"], 1)
	is.Equal(string(v.Raw), `{"a":[1,{"b":null}]}`)
	is.Equal(v.hidden, 0)
}

func TestDecodeNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown field":               {`{"nmae":"x"}`, `nmae is not a known field`},
		"an unknown field further down":  {`{"items":[{},{"inner":{"x":1}}]}`, `items[1].inner.x is not a known field`},
		"a key in another case":          {`{"Name":"x"}`, `Name is not a known field; did you mean "name"?`},
		"a key that folds to another":    {`{"ite` + "\u017f" + `":1}`, `"ite\u017f" is not a known field`},
		"an unexported field":            {`{"hidden":1}`, `hidden is not a known field`},
		"the empty key":                  {`{"":1}`, `"" is not a known field`},
		"a duplicate key":                {`{"port":1,"port":2}`, `port is given twice`},
		"a duplicate by escape":          {`{"port":1,"p\u006frt":2}`, `port is given twice`},
		"a duplicate where all may be":   {`{"raw":{"a":{"b":1,"b":2}}}`, `raw.a.b is given twice`},
		"text after the value":           {`{} {}`, `must be valid JSON: line 1, column 4: nothing may follow the value`},
		"a string for a number":          {`{"port":"1"}`, `port must be a whole number, not a string`},
		"a fraction":                     {`{"port":1.0}`, `port must be a whole number of sensible size`},
		"a number too large":             {`{"small":256}`, `small must be a whole number of sensible size`},
		"a negative for an unsigned":     {`{"small":-1}`, `small must be a whole number of sensible size`},
		"a number for a string":          {`{"name":1}`, `name must be a string, not a number`},
		"null for a string":              {`{"name":null}`, `name must be a string, not null`},
		"an object for an array":         {`{"tags":{}}`, `tags must be an array, not an object`},
		"a wrong element":                {`{"tags":["a",1]}`, `tags[1] must be a string, not a number`},
		"a text for a flag":              {`{"on":"true"}`, `on must be true or false, not a string`},
		"an array for the whole":         {`[]`, `must be an object, not an array`},
		"nothing":                        {"", `must be valid JSON: line 1, column 1: the text ends too early`},
		"a missing comma":                {"{\n\"port\":1 \"name\":2}", `must be valid JSON: line 2, column 10: ',' or '}' is expected`},
		"a comma too many":               {`{"port":1,}`, `must be valid JSON: line 1, column 11: a string is expected`},
		"a leading zero":                 {`{"port":01}`, `must be valid JSON: line 1, column 9: a malformed number`},
		"a comment":                      {`{/**/}`, `must be valid JSON: line 1, column 2: a string is expected`},
		"broken UTF-8":                   {"{\"name\":\"\xff\"}", `must be valid JSON: line 1, column 12: a string that is not Unicode`},
		"half a surrogate pair":          {`{"name":"\ud800"}`, `must be valid JSON: line 1, column 17: a string that is not Unicode`},
		"a wrong escape":                 {`{"name":"\x"}`, `must be valid JSON: line 1, column 13: a string with a wrong escape`},
		"a newline in a string":          {"{\"name\":\"\n\"}", `must be valid JSON: line 1, column 10: a control character in a string`},
		"a byte order mark":              {"\ufeff{}", `must be valid JSON: line 1, column 1: a value is expected`},
		"a word of another language":     {`{"on":True}`, `must be valid JSON: line 1, column 7: a value is expected`},
		"a string without an end":        {`{"name":"x`, `must be valid JSON: line 1, column 11: the text ends within a string`},
		"a backslash at the end":         {`{"name":"x\`, `must be valid JSON: line 1, column 12: the text ends within a string`},
		"nesting without end":            {strings.Repeat(`{"inner":`, 40), `must be JSON nested at most 32 deep`},
		"nesting where all may be":       {`{"any":` + strings.Repeat(`[`, 500), `must be JSON nested at most 32 deep`},
		"a text too long":                {`"` + strings.Repeat("x", 1<<10) + `"`, `must be JSON of at most 1024 bytes, not 1026`},
		"an unknown field that is large": {`{"` + strings.Repeat("x", 900) + `":1}`, `"` + strings.Repeat("x", 64) + `"… is not a known field`},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var v item
			err := strictjson.Decode([]byte(c.text), 1<<10, &v)
			var e *strictjson.Error
			is.True(errors.As(err, &e))
			is.Equal(strings.TrimSpace(e.Error()), c.want)
		})
	}
}

// FuzzDecode holds Decode against encoding/json: what it accepts, that accepts as well, to the same value.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"x","port":1,"tags":["a"],"inner":{"on":true}}`, `[1,2`, `{"raw":{"a":1,"a":2}}`, `{"any":1e400}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got, want item
		if err := strictjson.Decode(b, 1<<16, &got); err != nil {
			if len(err.Error()) > 5000 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if fmt.Sprintf("%+v", got.Tags) != fmt.Sprintf("%+v", want.Tags) || got.Name != want.Name {
			t.Fatalf("%+v, not %+v", got, want)
		}
	})
}

func ExampleDecode() {
	var body struct {
		Domain string `json:"domain"`
		Port   int    `json:"upstream_port"`
	}
	err := strictjson.Decode([]byte(`{"domain": "example.com", "Upstream_Port": 8001}`), 1<<20, &body)
	fmt.Println(err)
	// Output: Upstream_Port is not a known field; did you mean "upstream_port"?
}

func TestAnEmptyTextIsNoValueWhereTheStructSaysSo(t *testing.T) {
	is := is.New(t)
	type place struct {
		_    struct{} `strict:"filled"`
		Host string   `json:"host"`
		Port int      `json:"port"`
		Tag  *string  `json:"tag"`
	}
	type outer struct {
		place
		Name string `json:"name"`
	}
	var v struct {
		Places []outer `json:"places"`
		Note   string  `json:"note"`
	}
	for text, field := range map[string]string{
		`{"places":[{"host":""}]}`:                     "places[0].host",
		`{"places":[{"port":1,"tag" : "" }]}`:          "places[0].tag",
		`{"places":[{"name":""}]}`:                     "places[0].name", // whatever holds it is filled, too
		`{"note":"","places":[{"host":" ","port":0}]}`: "",
		`{"note":"","places":[{"tag":null}]}`:          "",
	} {
		err := strictjson.Decode([]byte(text), 1<<10, &v)
		if field == "" {
			is.NoErr(err)
			continue
		}
		wrong, ok := errors.AsType[*strictjson.Error](err)
		is.True(ok)
		is.Equal(wrong.Field, field)
	}
}
