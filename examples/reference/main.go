// Command reference writes the reference in README.md, between the markers, from what the program itself says: its help,
// the tables of its resources' fields, its list of endpoints, its codes.
//
//	go run ./examples/reference
package main

import (
	"fmt"
	"log"
	"os"
	"strings"
)

func main() {
	if err := run("README.md", "."); err != nil {
		log.Fatal(err)
	}
}

// run brings a README up to date. The module's sources are below root.
func run(readme, root string) error {
	text, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	current, err := update(string(text), root)
	if err != nil {
		return err
	}
	return os.WriteFile(readme, []byte(current), 0o644)
}

// sections are the parts that are written here.
var sections = []struct {
	name  string
	write func(root string) (string, error)
}{
	{"commands", commands},
	{"settings", settings},
	{"fields", resourceFields},
	{"http", endpoints},
	{"codes", errorCodes},
}

// update replaces what is between each section's markers.
func update(text, root string) (string, error) {
	for _, s := range sections {
		start := fmt.Sprintf("<!-- reference: %s -->\n", s.name)
		before, rest, found := strings.Cut(text, start)
		_, after, ended := strings.Cut(rest, "<!-- end -->\n")
		if !found || !ended {
			return "", fmt.Errorf("the markers of the section %q are not there", s.name)
		}
		body, err := s.write(root)
		if err != nil {
			return "", fmt.Errorf("section %q: %w", s.name, err)
		}
		text = before + start + body + "<!-- end -->\n" + after
	}
	return text, nil
}

// table is a table in Markdown.
func table(headings []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(headings)
	b.WriteString(strings.Repeat("|---", len(headings)) + "|\n")
	for _, row := range rows {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "|", `\|`)
		}
		line(row)
	}
	return b.String()
}
