package fields_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources/fields"
	"github.com/fullpotential-ai/proxy-manager/resources/strictjson"
)

// A page has a field of every type.
type page struct {
	Title string `json:"title"`
	look
	Tags   []string `json:"tags,omitempty"`
	Width  int      `json:"width,omitempty"`
	Public *bool    `json:"public"`
	Author *person  `json:"author,omitempty"`
	Links  []link   `json:"links,omitempty"`
}

type look struct {
	Colour string `json:"colour,omitempty"`
}

type person struct {
	Name  string `json:"name"`
	Alive *bool  `json:"alive,omitempty"`
}

type link struct {
	To     string  `json:"to"`
	Weight int     `json:"weight,omitempty"`
	By     *person `json:"by,omitempty"`
}

var word = fields.Text(func(s string) (string, error) {
	if s == "" || strings.ContainsAny(s, " ,;") {
		return "", errors.New("must be a word")
	}
	return strings.ToLower(s), nil
}, fields.Schema{Pattern: `^[^ ,;]+$`, Examples: []any{"shop"}})

func pageFields() []fields.Field {
	people := fields.For[person](
		fields.Field{Name: "name", Type: word, Required: true},
		fields.Field{Name: "alive", Type: fields.Bool(), Default: true},
	)
	links := fields.For[link](
		fields.Field{Name: "to", Type: word, Required: true},
		fields.Field{Name: "weight", Type: fields.Integer("a weight", 1, 9), Default: 1},
		fields.Field{Name: "by", Type: fields.Object(people)},
	).Where(func(l *link) error {
		if l.To == "nowhere" {
			return &fields.Error{Field: "to", Constraint: "must be somewhere"}
		}
		return nil
	})
	return []fields.Field{
		{Name: "title", Type: word, Required: true, Help: "what it is called", Directive: "z_title"},
		{Name: "colour", Type: fields.Choice("red", "blue"), Default: "red", Help: "colour of the page"},
		{Name: "tags", Type: fields.List(word, 0, 2, "must be fewer than 3")},
		{Name: "width", Type: fields.Integer("a width", 1, 100), Default: 80, Unit: "columns", Help: "how wide it is", Directive: "a_width"},
		{Name: "public", Type: fields.Bool(), Default: true},
		{Name: "author", Type: fields.Object(people)},
		{Name: "links", Type: fields.List(fields.Object(links), 0, 2, "must be fewer than 3")},
	}
}

func pages() *fields.Table[page] { return fields.For[page](pageFields()...) }

const wholePage = `{"title":"home","colour":"blue","tags":["a","b"],"width":7,"public":false,` +
	`"author":{"name":"ann","alive":false},"links":[{"to":"a&b"},{"to":"c","weight":9,"by":{"name":"bob"}}]}`

func parse(t *testing.T, text string) (page, error) {
	t.Helper()
	var p page
	if err := strictjson.Decode([]byte(text), 1<<10, &p); err != nil {
		t.Fatal(err)
	}
	return p, pages().Normalise(&p)
}

func TestCanonicalJSONHasWhatIsNotTheDefaultInTheOrderOfTheTable(t *testing.T) {
	for given, want := range map[string]string{
		`{"title":"Home"}`: `{"title":"home","public":true}`,
		`{"public":true,"width":80,"tags":[],"colour":"red","links":[],"title":"home"}`: `{"title":"home","public":true}`,
		`{"title":"home","author":{"alive":true,"name":"ANN"}}`:                         `{"title":"home","public":true,"author":{"name":"ann"}}`,
		wholePage: strings.ReplaceAll(wholePage, "&", `\u0026`),
	} {
		is := is.New(t)
		p, err := parse(t, given)
		is.NoErr(err)
		text := pages().JSON(&p)
		is.Equal(string(text), want)
		again, err := parse(t, string(text))
		is.NoErr(err)
		is.Equal(string(pages().JSON(&again)), want) // what is canonical stays as it is
	}
}

func TestCanonicalJSONIsWhatEncodingJSONWouldWrite(t *testing.T) {
	is := is.New(t)
	p, err := parse(t, strings.ReplaceAll(wholePage, `{"to":"a&b"},{"to":"c","weight":9,"by":{"name":"bob"}}`, `{"to":"ü<\"\\\u0001\u2028\ud83d\ude00","weight":2}`))
	is.NoErr(err)
	want, err := json.Marshal(p)
	is.NoErr(err)
	is.Equal(string(pages().JSON(&p)), string(want))
}

func TestAnErrorNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:                               "title must be a word, not \"\"",
		`{"title":"a","colour":"green"}`:   `colour must be red or blue, not "green"`,
		`{"title":"a","tags":["a","b c"]}`: `tags[1] must be a word, not "b c"`,
		`{"title":"a","tags":["","",""]}`:  `tags must be fewer than 3`,
		`{"title":"a","width":101}`:        `width must be a width from 1 to 100, not "101"`,
		`{"title":"a","author":{}}`:        `author.name must be a word, not ""`,
		`{"title":"a","links":[{}]}`:       `links[0].to must be a word, not ""`,
		`{"title":"a","links":[{"to":"a"},{"to":"b","by":{"name":","}}]}`: `links[1].by.name must be a word, not ","`,
		`{"title":"a","links":[{"to":"nowhere"}]}`:                        `links[0].to must be somewhere`,
	} {
		is := is.New(t)
		_, err := parse(t, text)
		var wrong *fields.Error
		is.True(errors.As(err, &wrong))
		is.Equal(err.Error(), want)
	}
}

func TestNormalisedValuesShareNoMemory(t *testing.T) {
	is := is.New(t)
	given := page{Title: "home", Tags: []string{"a"}, Public: new(false), Author: &person{Name: "ann"}, Links: []link{{To: "a", By: &person{Name: "bob"}}}}
	p := given
	is.NoErr(pages().Normalise(&p))
	before := string(pages().JSON(&p))
	spoil := func(p page) {
		p.Tags[0], *p.Public, p.Author.Name, p.Links[0].To, p.Links[0].By.Name = "x", true, "x", "x", "x"
	}
	spoil(given)
	is.Equal(string(pages().JSON(&p)), before)
	spoil(pages().Copy(&p))
	is.Equal(string(pages().JSON(&p)), before)
}

func TestATextSetsWhatItShows(t *testing.T) {
	is := is.New(t)
	p, err := parse(t, wholePage)
	is.NoErr(err)
	var again page
	shown := map[string]string{}
	for f, text := range pages().Texts(&p) {
		shown[f.Name] = text
		is.NoErr(pages().Set(&again, f.Name, text))
	}
	is.Equal(shown["tags"], "a,b")
	is.Equal(shown["public"], "false")
	is.Equal(shown["author"], `{"name":"ann","alive":false}`)
	is.NoErr(pages().Normalise(&again))
	is.Equal(pages().JSON(&again), pages().JSON(&p))

	for name, text := range map[string]string{"width": "wide", "public": "perhaps", "author": `{"nmae":"x"}`, "links": "[", "nothing": "x"} {
		err := pages().Set(&again, name, text)
		is.True(err != nil && strings.HasPrefix(err.Error(), name)) // it names the field
	}
}

func TestOneFieldIsCheckedByItself(t *testing.T) {
	is := is.New(t)
	text, err := pages().Check("title", "HOME")
	is.NoErr(err)
	is.Equal(text, "home")
	text, err = pages().Check("colour", "")
	is.NoErr(err)
	is.Equal(text, "red")
	_, err = pages().Check("width", "101")
	is.Equal(fmt.Sprint(err), `width must be a width from 1 to 100, not "101"`)
}

func TestChangedFieldsAreNamed(t *testing.T) {
	is := is.New(t)
	a, err := parse(t, wholePage)
	is.NoErr(err)
	b, err := parse(t, `{"title":"home","colour":"blue","tags":["a","b"],"links":[{"to":"a&b"},{"to":"c","weight":9,"by":{"name":"eve"}}]}`)
	is.NoErr(err)
	is.Equal(fields.Changed(pages().JSON(&a), pages().JSON(&b)), []string{"author", "links", "public", "width"})
}

func TestDirectivesAreSortedAndSetTheirFields(t *testing.T) {
	is := is.New(t)
	p, err := parse(t, `{"title":"home"}`)
	is.NoErr(err)
	is.Equal(maps.Collect(pages().Directives(&p)), map[string]string{"a_width": "80", "z_title": "home"})
	for first := range pages().Directives(&p) {
		is.Equal(first, "a_width")
		break
	}
	is.True(pages().HasDirective("a_width"))
	is.True(!pages().HasDirective("width"))
	is.NoErr(pages().SetDirective(&p, "a_width", "9"))
	is.Equal(p.Width, 9)
	is.True(pages().SetDirective(&p, "width", "9") != nil)
}

func TestSchemaIsThatOfTheTable(t *testing.T) {
	is := is.New(t)
	b, err := json.Marshal(pages().Schema())
	is.NoErr(err)
	const personSchema = `"additionalProperties":false,"required":["name"],"properties":{"name":{"type":"string","examples":["shop"],"pattern":"^[^ ,;]+$"},` +
		`"alive":{"type":["boolean","null"],"default":true}}`
	is.Equal(string(b), `{"type":"object","additionalProperties":false,"required":["title"],"properties":{`+
		`"title":{"description":"What it is called.","type":"string","examples":["shop"],"pattern":"^[^ ,;]+$"},`+
		`"colour":{"description":"Colour of the page.","type":"string","default":"red","enum":["red","blue"]},`+
		`"tags":{"type":["array","null"],"maxItems":2,"items":{"type":"string","examples":["shop"],"pattern":"^[^ ,;]+$"}},`+
		`"width":{"description":"How wide it is (in columns).","type":"integer","default":80,"minimum":1,"maximum":100},`+
		`"public":{"type":["boolean","null"],"default":true},`+
		`"author":{"type":["object","null"],`+personSchema+`},`+
		`"links":{"type":["array","null"],"maxItems":2,"items":{"type":"object","additionalProperties":false,"required":["to"],"properties":{`+
		`"to":{"type":"string","examples":["shop"],"pattern":"^[^ ,;]+$"},`+
		`"weight":{"type":"integer","default":1,"minimum":1,"maximum":9},`+
		`"by":{"type":["object","null"],`+personSchema+`}}}}}}`)
}

func TestATableThatDoesNotFitItsStructStopsTheProgram(t *testing.T) {
	name := fields.Field{Name: "name", Type: word}
	alive := fields.Field{Name: "alive", Type: fields.Bool()}
	for what, rows := range map[string][]fields.Field{
		"a field without a row":       {name},
		"a row without a field":       {name, alive, {Name: "age", Type: word}},
		"another order":               {alive, name},
		"a type of another kind":      {name, {Name: "alive", Type: word}},
		"a default that is refused":   {{Name: "name", Type: word, Default: "a b"}, alive},
		"a default to be normalised":  {{Name: "name", Type: word, Default: "Ann"}, alive},
		"a default that is never had": {{Name: "name", Type: word, Default: "ann", Required: true}, alive},
		"a directive without a text":  {name, {Name: "alive", Type: fields.Bool(), Directive: "alive"}},
	} {
		t.Run(what, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("nobody would notice")
				}
			}()
			fields.For[person](rows...)
		})
	}
}
