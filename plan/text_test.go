package plan_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/fullpotential-ai/proxy-manager/plan"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ExamplePlan_WriteText() {
	const path = "/etc/nginx/sites-available/fpai-alpha.conf"
	p := &plan.Plan{
		Summary: plan.Summary{Create: 1},
		Changes: []plan.Change{{Address: "route.alpha", Action: plan.Create, Reason: "it is not there yet"}},
		Steps: []plan.Step{
			{Kind: plan.WriteFile, Path: path, Description: "write " + path,
				Diff: plan.Diff(path, nil, plan.File([]byte("server {}\n"), 0o644))},
			{Kind: plan.Reload, Description: "reload nginx"},
		},
	}
	if err := p.WriteText(os.Stdout, plan.TextOptions{}); err != nil {
		panic(err)
	}
	// Output:
	// These resources change:
	//
	//   + route.alpha: it is not there yet
	//
	// These steps are taken, in this order:
	//
	// 1. write /etc/nginx/sites-available/fpai-alpha.conf
	//
	// diff --git a/etc/nginx/sites-available/fpai-alpha.conf b/etc/nginx/sites-available/fpai-alpha.conf
	// new file mode 100644
	// index 0000000..2faccfe
	// --- /dev/null
	// +++ b/etc/nginx/sites-available/fpai-alpha.conf
	// @@ -0,0 +1 @@
	// +server {}
	//
	// 2. reload nginx
	//
	// Plan: 1 to add, 0 to change, 0 to destroy.
}

// examplePlan has one of everything, and text from elsewhere that means ill.
func examplePlan() *plan.Plan {
	const available, enabled = "/etc/nginx/sites-available/", "/etc/nginx/sites-enabled/"
	write := func(name string, before, after *plan.State) plan.Step {
		return plan.Step{Kind: plan.WriteFile, Description: "write " + available + name, Diff: plan.Diff(available+name, before, after)}
	}
	return &plan.Plan{
		FormatVersion: plan.FormatVersion,
		Summary:       plan.Summary{Create: 1, Update: 1, Delete: 1, Unchanged: 1, Drifted: 1},
		Changes: []plan.Change{
			{Address: "route.alpha", Action: plan.Create, Reason: "it is not there yet"},
			{Address: "route.beta", Action: plan.Update, Reason: "edited by hand", Drifted: true},
			{Address: "route.gamma", Action: plan.Delete, Reason: "it is not in the desired state"},
			{Address: "route.delta", Action: plan.Unchanged, Reason: "as it should be"},
		},
		Steps: []plan.Step{
			{ID: "1", Kind: plan.CheckHealth, Description: "ask http://localhost:8001/health"},
			write("fpai-alpha.conf", nil, file("server {\n\tlisten 80;\n}\n")),
			write("fpai-beta.conf", file("-- removed\n\x1b]0;owned\a\nb\u202e\n\u00a0end\r\n"), file("++ added\nend")),
			{ID: "4", Kind: plan.CreateSymlink, Path: enabled + "fpai-alpha.conf", Diff: plan.Diff(enabled+"fpai-alpha.conf", nil, plan.Link("../sites-available/fpai-alpha.conf"))},
			{ID: "5", Kind: plan.TestConfig, Description: "nginx -t"},
		},
		Warnings: []string{"nginx says:\n--- a/x\n+++ b/x\n\x1b[2Jgone\n"},
	}
}

func textOf(p *plan.Plan, o plan.TextOptions) string {
	var b strings.Builder
	_ = p.WriteText(&b, o)
	return b.String()
}

func TestTextLooksAsReviewed(t *testing.T) {
	for name, o := range map[string]plan.TextOptions{
		"pipe":     {},
		"terminal": {Terminal: true},
		"color":    {Color: true},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			golden := filepath.Join("testdata", name+".golden")
			got := textOf(examplePlan(), o)
			if *update {
				is.NoErr(os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			is.NoErr(err)
			is.Equal(got, string(want))
		})
	}
}

func TestNothingForeignReachesATerminalRaw(t *testing.T) {
	is := is.New(t)
	colors := regexp.MustCompile("\x1b\\[(3[123]|0)m")
	for _, o := range []plan.TextOptions{{Color: true}, {Terminal: true}} {
		left := colors.ReplaceAllString(textOf(examplePlan(), o), "")
		is.True(!strings.ContainsAny(left, "\x1b\a\r\u202e\u00a0"))
		is.True(strings.Contains(left, `\x1b[2Jgone`)) // but is shown
	}
}

func TestDiffsForAPipeAreExact(t *testing.T) {
	is := is.New(t)
	p := examplePlan()
	for _, s := range p.Steps {
		is.True(strings.Contains(p.String(), "\n"+s.Diff+"\n"))
	}
}

func TestADiffByItselfLooksAsItDoesInAPlan(t *testing.T) {
	is := is.New(t)
	for _, o := range []plan.TextOptions{{}, {Terminal: true}, {Color: true}} {
		text := textOf(examplePlan(), o)
		for _, s := range examplePlan().Steps {
			var b strings.Builder
			is.NoErr(plan.WriteDiff(&b, s.Diff, o))
			is.True(strings.Contains(text, "\n"+b.String()))
			is.True(o.Terminal || o.Color || strings.TrimSuffix(b.String(), "\n") == strings.TrimSuffix(s.Diff, "\n"))
		}
	}
	is.True(errors.Is(plan.WriteDiff(brokenPipe{}, examplePlan().Steps[1].Diff, plan.TextOptions{}), errBroken))
}

func TestANoOpSaysNoChanges(t *testing.T) {
	is := is.New(t)
	p := &plan.Plan{Summary: plan.Summary{Unchanged: 3}, Changes: []plan.Change{{Address: "route.a", Action: plan.Unchanged}}}
	is.Equal(p.String(), "No changes. The host matches the desired state.\n")
}

func TestAFailingWriterIsReported(t *testing.T) {
	is := is.New(t)
	is.True(errors.Is(examplePlan().WriteText(brokenPipe{}, plan.TextOptions{}), errBroken))
	is.True(errors.Is(examplePlan().Encode(brokenPipe{}), errBroken))
}

var errBroken = errors.New("broken pipe")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }
