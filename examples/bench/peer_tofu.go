package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What is built of OpenTofu: the program, and the provider of files that its registry calls hashicorp/local.
const (
	tofuModule  = "github.com/opentofu/opentofu"
	tofuVersion = "v1.12.6"
	localModule = "github.com/hashicorp/terraform-provider-local"
	localAt     = "v1.4.0"
)

func (b *bench) measureTofu(ctx context.Context) error {
	t, err := b.installTofu(ctx)
	if err != nil {
		b.table.amount("OpenTofu", "not measured: "+err.Error(), "")
		return nil
	}
	return b.compareWithFileTool(ctx, "OpenTofu "+tofuVersion, b.scale.many, t)
}

// A tofu keeps files with OpenTofu.
type tofu struct {
	binary, dir string
	env         []string
}

// installTofu builds OpenTofu. Its modules replace others, so "go install" refuses them by name.
func (b *bench) installTofu(ctx context.Context) (*tofu, error) {
	b.say("building OpenTofu, which takes minutes the first time…")
	t := &tofu{binary: filepath.Join(b.dir, "tofu"), dir: filepath.Join(b.dir, "tofu-files")}
	if err := errors.Join(os.Mkdir(t.dir, 0o755),
		b.buildModule(ctx, tofuModule, tofuVersion, "./cmd/tofu", t.binary),
		b.buildModule(ctx, localModule, localAt, ".", filepath.Join(b.dir, "terraform-provider-local"))); err != nil {
		return nil, err
	}
	settings := filepath.Join(b.dir, "tofu.rc")
	t.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+settings, "CHECKPOINT_DISABLE=1")
	text := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/local\" = %q\n  }\n  direct {}\n}\n", b.dir)
	return t, os.WriteFile(settings, []byte(text), 0o644)
}

// buildModule builds a program of a module from a copy of it, with what the module itself says of its dependencies.
func (b *bench) buildModule(ctx context.Context, module, version, pkg, binary string) error {
	out, err := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@"+version).Output()
	var m struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &m); jsonErr != nil || m.Error != "" {
		return errors.Join(fmt.Errorf("go mod download %s: %s", module, m.Error), err)
	}
	source := filepath.Join(b.dir, "source-"+filepath.Base(module))
	if err := os.CopyFS(source, os.DirFS(m.Dir)); err != nil {
		return err
	}
	return run(ctx, source, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod -buildvcs=false"), "go", "build", "-o", binary, pkg)
}

func (t *tofu) want(files map[string]string) error {
	text, err := json.Marshal(map[string]any{
		"terraform": map[string]any{"required_providers": map[string]any{"local": map[string]any{"source": "hashicorp/local"}}},
		"locals":    map[string]any{"files": escaped(files)},
		"resource": map[string]any{"local_file": map[string]any{"site": map[string]any{
			"for_each": "${local.files}", "filename": "${each.key}", "content": "${each.value}", "file_permission": "0644",
		}}},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(t.dir, "main.tf.json"), text, 0o600)
}

// escaped keeps OpenTofu from taking anything in a text for a template.
func escaped(files map[string]string) map[string]string {
	texts := map[string]string{}
	for path, text := range files {
		texts[path] = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
	}
	return texts
}

func (t *tofu) plan(ctx context.Context) error {
	return run(ctx, t.dir, t.env, t.binary, "plan", "-no-color", "-input=false", "-detailed-exitcode")
}

func (t *tofu) apply(ctx context.Context) error {
	return run(ctx, t.dir, t.env, t.binary, "apply", "-no-color", "-input=false", "-auto-approve")
}
