package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func (b *bench) measureAnsible(ctx context.Context) error {
	binary, err := exec.LookPath("ansible-playbook")
	if err != nil {
		b.table.amount("Ansible", "not measured: there is no ansible-playbook (apt-get install ansible-core)", "")
		return nil
	}
	a := &ansible{binary: binary, dir: filepath.Join(b.dir, "ansible")}
	if err := os.Mkdir(a.dir, 0o755); err != nil {
		return err
	}
	a.env = append(os.Environ(), "ANSIBLE_HOME="+a.dir, "ANSIBLE_LOCAL_TEMP="+a.dir, "ANSIBLE_NOCOLOR=1", "ANSIBLE_LOCALHOST_WARNING=0")
	return b.compareWithFileTool(ctx, "Ansible", b.scale.slow, a)
}

// An ansible keeps files with Ansible.
type ansible struct {
	binary, dir string
	env         []string
}

func (a *ansible) want(files map[string]string) error {
	type item struct {
		Path string `json:"path"`
		Text string `json:"text"`
	}
	var items []item
	for path, text := range files {
		items = append(items, item{path, text})
	}
	vars, err := json.Marshal(map[string]any{"files": items})
	if err != nil {
		return err
	}
	// JSON is YAML.
	playbook, err := json.Marshal([]any{map[string]any{
		"hosts": "localhost", "connection": "local", "gather_facts": false,
		"tasks": []any{map[string]any{
			"copy": map[string]any{"dest": "{{ item.path }}", "content": "{{ item.text }}", "mode": "0644"},
			"loop": "{{ files }}", "loop_control": map[string]any{"label": "{{ item.path }}"},
		}},
	}})
	return errors.Join(err, os.WriteFile(a.path("vars.json"), vars, 0o600), os.WriteFile(a.path("play.json"), playbook, 0o600))
}

func (a *ansible) path(name string) string { return filepath.Join(a.dir, name) }

func (a *ansible) plan(ctx context.Context) error {
	out, err := a.play(ctx, "--check", "--diff")
	if err == nil && !bytes.Contains(out, []byte("changed=0 ")) {
		err = errors.New("ansible finds something to do")
	}
	return err
}

func (a *ansible) apply(ctx context.Context) error {
	_, err := a.play(ctx)
	return err
}

func (a *ansible) play(ctx context.Context, flags ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, a.binary, append(flags, "-i", "localhost,", "-e", "@"+a.path("vars.json"), a.path("play.json"))...)
	cmd.Env = a.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("ansible-playbook: %w: %s", err, out[max(0, len(out)-400):])
	}
	return out, err
}
