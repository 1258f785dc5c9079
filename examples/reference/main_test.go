package main

import (
	"os"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestTheReferenceInTheREADMEIsCurrent(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("../../README.md")
	is.NoErr(err)
	current, err := update(string(text), "../..")
	is.NoErr(err)
	if current != string(text) {
		t.Fatalf("run \"go run ./examples/reference\": the README differs from what the program says, first at:\n%s", firstDifference(string(text), current))
	}
}

func TestEveryErrorCodeHasItsLineInTroubleshooting(t *testing.T) {
	is := is.New(t)
	text, err := os.ReadFile("../../README.md")
	is.NoErr(err)
	_, help, found := strings.Cut(string(text), "\n## Troubleshooting\n")
	is.True(found)
	help, _, _ = strings.Cut(help, "\n## ")
	list, err := errorCodes("../..")
	is.NoErr(err)
	for line := range strings.Lines(list) {
		if code, isRow := strings.CutPrefix(line, "| `"); isRow {
			code, _, _ = strings.Cut(code, "`")
			if !strings.Contains(help, "`"+code+"`") {
				t.Errorf("nothing helps with %s", code)
			}
		}
	}
}

func firstDifference(was, is string) string {
	a, b := strings.Split(was, "\n"), strings.Split(is, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "README:  " + a[i] + "\nprogram: " + b[i]
		}
	}
	return "the end"
}
