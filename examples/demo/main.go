// Command demo shows what Proxy Manager does, with the program itself in front of a real nginx, a real certbot and a
// private ACME CA. Everything runs on free ports of loopback, in a directory of its own that is removed in the end. Each
// claim that it makes is checked as it is made; the last lines say what was proved, and the exit code is 1 if anything
// was not.
//
//	make demo
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// scenes are the acts, in order: each goes on from where the one before left the host.
var scenes = []struct {
	title string
	play  func(*stage) error
}{
	{"Three routes from a file", planAndApply},
	{"A change is a diff before it is a change", changeARoute},
	{"What fails is undone, what can't work is refused", failures},
	{"HTTPS from an ACME CA", https},
	{"kill -9 in the middle of an apply", crash},
	{"History and rollback", rollBack},
	{"The same over HTTP", overHTTP},
}

func main() {
	root, err := os.Getwd()
	if err == nil {
		err = run(newConsole(os.Stdout, wantsColor(os.Stdout)), root, filepath.Join(root, "bin/proxy-manager"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run plays all scenes with the program at binary. The repository is at root.
func run(c *console, root, binary string) error {
	s, err := newStage(c, root, binary)
	if err != nil {
		return err
	}
	defer s.close()
	for i, scene := range scenes {
		s.title("%d. %s", i+1, scene.title)
		if err := scene.play(s); err != nil {
			s.prove(false, "scene %d, %q, plays to its end: %v", i+1, scene.title, err)
			break // later scenes build on it
		}
	}
	return s.verdict()
}
