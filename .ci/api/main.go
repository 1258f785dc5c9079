// Command api lists everything that this module exports, one declaration after the other and without comments, so that
// a change of the public interface shows as a change of the file api.txt and is made on purpose.
//
//	go run ./.ci/api          compares the listing with .ci/api/api.txt
//	go run ./.ci/api -update  writes it
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const golden = ".ci/api/api.txt"

func main() {
	update := flag.Bool("update", false, "write "+golden)
	flag.Parse()
	if err := run(*update); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func run(update bool) error {
	var out bytes.Buffer
	for _, root := range []string{"plan", "resources", "engine", "facade"} {
		err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return err
			}
			if name := d.Name(); name == "internal" || name == "testdata" {
				return fs.SkipDir
			}
			return list(&out, dir)
		})
		if err != nil {
			return err
		}
	}
	if update {
		return os.WriteFile(golden, out.Bytes(), 0o644)
	}
	was, err := os.ReadFile(golden)
	if err != nil {
		return err
	}
	if bytes.Equal(was, out.Bytes()) {
		return nil
	}
	printDifference(string(was), out.String())
	return errors.New("the exported interface has changed; if that is meant, run: go run ./.ci/api -update")
}

// list prints the exported declarations of the package in dir, if there is one.
func list(out *bytes.Buffer, dir string) error {
	files := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	var parsed []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(files, name, nil, 0) // without comments
		if err != nil {
			return err
		}
		parsed = append(parsed, f)
	}
	if len(parsed) == 0 || parsed[0].Name.Name == "main" {
		return nil
	}
	p, err := doc.NewFromFiles(files, parsed, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "package %s\n\n", dir)
	values(out, files, p.Consts, p.Vars)
	functions(out, files, p.Funcs)
	for _, t := range p.Types {
		show(out, files, t.Decl)
		values(out, files, t.Consts, t.Vars)
		functions(out, files, t.Funcs, t.Methods)
	}
	return nil
}

func values(out *bytes.Buffer, files *token.FileSet, groups ...[]*doc.Value) {
	for _, v := range slices.Concat(groups...) {
		show(out, files, v.Decl)
	}
}

func functions(out *bytes.Buffer, files *token.FileSet, groups ...[]*doc.Func) {
	for _, f := range slices.Concat(groups...) {
		f.Decl.Body = nil
		show(out, files, f.Decl)
	}
}

func show(out *bytes.Buffer, files *token.FileSet, decl ast.Decl) {
	_ = printer.Fprint(out, files, decl) // to memory
	out.WriteString("\n\n")
}

// printDifference prints the lines that are in one listing only.
func printDifference(was, is string) {
	before, after := strings.Split(was, "\n"), strings.Split(is, "\n")
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Println("-", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Println("+", line)
		}
	}
}
