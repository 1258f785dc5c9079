package nginxconf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/resources/nginxconf"
)

func TestParseReadsWhatNginxReads(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                          {"", ``},
		"a comment alone":                  {"# x {", ``},
		"a directive":                      {"listen 80;", `listen ["80"]; `},
		"a block":                          {"http{server{listen 80;}}", `http [] {server [] {listen ["80"]; }; }; `},
		"an empty block":                   {"events {}", `events [] {}; `},
		"white space of all kinds":         {"a\tb\r\n c;", `a ["b" "c"]; `},
		"double quotes":                    {`a "b c;{}#'" d;`, `a ["b c;{}#'" "d"]; `},
		"single quotes":                    {`a 'b "c"';`, `a ["b \"c\""]; `},
		"escapes":                          {`a "\"\\\t\." 'it\'s' b\ c\;d;`, `a ["\"\\\t\\." "it's" "b\\ c\\;d"]; `},
		"a quote within a word":            {`a b"c;`, `a ["b\"c"]; `},
		"a comment after a directive":      {"a b; # c;\nd;", `a ["b"]; d []; `},
		"a hash within a word":             {"a b#c;", `a ["b#c"]; `},
		"a variable in braces":             {"return 301 https://${host}x;", `return ["301" "https://${host}x"]; `},
		"a brace behind an escaped dollar": {`a \${b;}`, `a ["\\$"] {b []; }; `},
		"a brace behind ${":                {`a ${{b;`, `a ["${{b"]; `},
		"a dollar before an escape":        {`a $\{b;`, `a ["$\\{b"]; `},
		"a parenthesis behind a quote":     {`if ("$a" = "b"){c;}`, `if ["(\"$a\"" "=" "b" ")"] {c []; }; `},
		"a brace that ends a word":         {"location /x{return 444;}", `location ["/x"] {return ["444"]; }; `},
		"a map":                            {"map $a $b { default ''; ~*^x y; \"q q\" z; }", `map ["$a" "$b"] {default [""]; ~*^x ["y"]; q q ["z"]; }; `},
		"a quoted name":                    {`"listen" 80;`, `listen ["80"]; `},
		"Lua code with braces in strings":  {"content_by_lua_block { local t = { a = \"}\" } -- }\n--[[ } ]] x = [[ } ]] }\na;", `content_by_lua_block []; a []; `},
		"a byte order mark":                {"\ufeffa;", `a []; `},
		"a stray semicolon":                {"a;;b;", `a []; b []; `},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ds, err := nginxconf.Parse("x.conf", []byte(c.text))
			is.NoErr(err)
			is.Equal(outline(ds), c.want)
		})
	}
}

func TestParseNamesThePlaceOfAnError(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"a block that is not closed": {"a {\n b;\n", "x.conf:3: the text ends too early"},
		"a directive without an end": {"a\nb", "x.conf:2: the text ends too early"},
		"a brace too many":           {"a;\n}\n", "x.conf:2: unexpected }"},
		"a brace in a directive":     {"a b }\n", "x.conf:1: unexpected }"},
		"an open quote":              {"a 'b\n;\n", "x.conf:3: a quote is not closed"},
		"words without a space":      {`a "b"c;`, `x.conf:1: unexpected 'c' behind a quote`},
		"a comment behind a quote":   {`a "b"# c`, `x.conf:1: unexpected '#' behind a quote`},
		"open Lua code":              {"x_by_lua_block {\n{}", "x.conf:2: a block of Lua code is not closed"},
		"blocks without end":         {strings.Repeat("a{", 5000), "x.conf:1: has blocks nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := nginxconf.Parse("x.conf", []byte(c.text))
			var syntax *nginxconf.SyntaxError
			is.True(errors.As(err, &syntax))
			is.Equal(err.Error(), c.want)
		})
	}
}

func TestParseNotesWhereDirectivesStand(t *testing.T) {
	is := is.New(t)
	ds, err := nginxconf.Parse("sites/a.conf", []byte("# one\nhttp {\n  # three\n  a 'x\ny' z;\n  b\n 1;\n}\nc;"))
	is.NoErr(err)
	is.Equal(len(ds), 2)
	is.Equal(ds[0].Line, 2)
	is.Equal(ds[0].Block[0].Line, 4)
	is.Equal(ds[0].Block[1].Line, 6) // a quote with a line break in it was counted
	is.Equal(ds[1].Line, 9)
	is.Equal(ds[0].Block[1].File, "sites/a.conf")
}

func TestParseKeepsWhatCameBeforeAnError(t *testing.T) {
	is := is.New(t)
	ds, err := nginxconf.Parse("x.conf", []byte("server { listen 80; server_name a; }\nserver { listen"))
	is.True(err != nil)
	is.Equal(outline(ds), `server [] {listen ["80"]; server_name ["a"]; }; server [] {listen []; }; `)
}

// FuzzParse holds the promise that no text whatever is the end of the program.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a 'b' \"c\" {d \\; # e\n}", "x_by_lua_block { [[ }", "a\\", "${", "\"", "a{{{", "#"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ds, err := nginxconf.Parse("x.conf", b)
		var syntax *nginxconf.SyntaxError
		if err != nil && !errors.As(err, &syntax) {
			t.Fatalf("an error without a place: %v", err)
		}
		for _, d := range ds {
			if d.Name == "" || d.Line < 1 || d.Line > strings.Count(string(b), "\n")+1 {
				t.Fatalf("%+v", d)
			}
		}
	})
}

func ExampleParse() {
	ds, err := nginxconf.Parse("nginx.conf", []byte(`
http {
    server { listen 80 default_server; server_name _; }
}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	server := ds[0].Block[0]
	fmt.Printf("%s:%d %s %s %q\n", server.File, server.Line, server.Name, server.Block[0].Name, server.Block[0].Args)
	// Output: nginx.conf:3 server listen ["80" "default_server"]
}
