package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fullpotential-ai/proxy-manager/engine/enginetest"
)

// A new user types the README from its top to its end. What stands for the machine (ports, directories, an id) is
// replaced by the lab's, and --auto-approve by the "yes" that a person would type.
func TestEveryCommandOfTheREADMEWorksAsTyped(t *testing.T) {
	u := newUser(t)
	blocks := shellBlocks(t, "../../README.md")
	typed := 0
	for _, block := range blocks {
		if strings.Contains(block, "make ") && !strings.Contains(block, "proxy-manager plan") {
			continue // the targets are what runs this test
		}
		u.runBlock(block)
		typed += strings.Count(block, "proxy-manager ")
	}
	if typed < 20 {
		t.Errorf("only %d commands were found", typed)
	}
}

// shellBlocks returns the fenced blocks of shell commands.
func shellBlocks(t *testing.T, readme string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n```sh\n") {
		if block, _, found := strings.Cut(part, "\n```\n"); found && !strings.HasPrefix(part, "# Proxy Manager") {
			blocks = append(blocks, block+"\n")
		}
	}
	return blocks
}

// A user has a host and a directory, and types.
type user struct {
	t    *testing.T
	lab  *enginetest.Lab
	dir  string
	env  []string
	port int // of serve

	service *enginetest.Upstream // what the README has on port 8001
}

func newUser(t *testing.T) *user {
	t.Helper()
	lab := enginetest.Start(t, enginetest.Options{ACME: true})
	u := &user{t: t, lab: lab, dir: t.TempDir(), port: lab.FreePort(), service: lab.Upstream("shop")}
	bin := filepath.Join(u.dir, "bin")
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "proxy-manager"), "../../cli/proxy-manager")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	u.env = append(os.Environ(), lab.Env()...)
	u.env = append(u.env, "PATH="+bin+":"+os.Getenv("PATH"), "PROXY_MANAGER_PORT="+strconv.Itoa(u.port))
	site := fmt.Sprintf("server {\n    listen %d;\n    server_name old.example.com;\n    location / {\n        proxy_pass http://127.0.0.1:%d;\n        proxy_set_header Host $host;\n    }\n}\n",
		lab.HTTPPort, lab.Upstream("old").Port())
	if err := lab.Site("old.conf", site); err != nil {
		t.Fatal(err)
	}
	if err := lab.ReloadNginx(); err != nil {
		t.Fatal(err)
	}
	return u
}

// runBlock runs one block as bash does, and fails the test at the first command that fails. Exit code 2 is what
// --detailed-exitcode says about changes.
func (u *user) runBlock(block string) {
	u.t.Helper()
	script := "set -e -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + u.adapted(block)
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir, cmd.Env = u.dir, u.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		u.t.Fatalf("%v in:\n%s\nas:\n%s\nsaid:\n%s", err, block, script, out)
	}
}

func (u *user) adapted(block string) string {
	r := strings.NewReplacer(
		"make build\n", "",
		"install bin/proxy-manager /usr/local/bin/\n", "",
		"8001", strconv.Itoa(u.service.Port()),
		"http://127.0.0.1/", fmt.Sprintf("http://127.0.0.1:%d/", u.lab.HTTPPort),
		"127.0.0.1:8100", fmt.Sprintf("127.0.0.1:%d", u.port),
		"/etc/nginx/sites-available", u.lab.SitesAvailable,
		"proxy-manager serve &", "proxy-manager serve 2>serve.log &\nuntil curl -s http://127.0.0.1:"+strconv.Itoa(u.port)+"/health >/dev/null; do sleep 0.05; done",
		"rollback ID", "rollback $(proxy-manager history --json | jq -r '.[0].id')",
		"curl ", "curl -sSf ",
	)
	var lines []string
	for line := range strings.Lines(r.Replace(block)) {
		lines = append(lines, approved(line))
	}
	return strings.Join(lines, "")
}

// approved says yes to what asks.
func approved(line string) string {
	command, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  #") // a comment of the README's
	f := strings.Fields(command)
	if len(f) < 2 || f[0] != "proxy-manager" {
		return line
	}
	switch f[1] {
	case "apply", "put", "ssl", "delete", "renew", "adopt", "rollback", "destroy", "recover":
		command += " --auto-approve"
	}
	if strings.Contains(command, "--detailed-exitcode") {
		command += " || test $? -eq 2"
	}
	return command + "\n"
}
