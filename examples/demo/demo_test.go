package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestEveryClaimOfTheDemoHolds(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "proxy-manager")
	build := exec.Command("go", "build", "-o", binary, "./cli/proxy-manager")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var shown bytes.Buffer
	if err := run(newConsole(&shown, false), root, binary); err != nil {
		t.Errorf("%v\n%s", err, &shown)
	}
}
