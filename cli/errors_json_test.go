package cli_test

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestWithJSONEveryErrorIsJSONOnStdoutToo(t *testing.T) {
	t.Parallel()
	h := startHost(t)
	port := h.applied("alpha")
	h.desire(port, "alpha", "beta")
	h.must("plan", "--out", "plan.json")
	h.must(put("gamma", port, "--enable-ssl=false")...)
	h.write("bad.json", `{"routes":[{"droplet_name":"a b"}]}`)
	h.write("broken.json", "{\n  \"routes\": [,]}")
	for _, test := range []struct{ args, code, says string }{
		{"validate --json -f bad.json", "INVALID_INPUT", "routes[0]"},
		{"validate --json -f broken.json", "INVALID_INPUT", "line 2, column 14"},
		{"validate --json -f nowhere.json", "INVALID_INPUT", "nowhere.json"},
		{"plan --json -f bad.json", "INVALID_INPUT", "bad.json"},
		{"apply --json --auto-approve plan.json", "STALE_PLAN", "fpai-gamma.conf"},
		{"apply --json", "INVALID_INPUT", "--auto-approve"},
		{"get nobody --json", "PROXY_NOT_FOUND", "nobody"},
		{"delete nobody --json --auto-approve", "PROXY_NOT_FOUND", "nobody"},
		{"rollback nothing --json --auto-approve", "NOT_FOUND", "nothing"},
		{"get --json", "INVALID_INPUT", "takes one NAME"},
		{"list --json --nonsense", "INVALID_INPUT", "--nonsense"},
		{"list --json=true extra", "INVALID_INPUT", "extra"},
		{"put shop --port 9000 --json", "INVALID_INPUT", "--port"},
		{"list --json --nginx-bin nginx", "INVALID_INPUT", "--nginx-bin"},
		{"lst --json", "INVALID_INPUT", "lst"},
		{"put down --domain down.example.test --upstream-port 1 --enable-ssl=false --auto-approve --json", "UPSTREAM_UNHEALTHY", ":1"},
	} {
		t.Run(test.args, func(t *testing.T) {
			is := is.New(t)
			got := h.run(strings.Fields(test.args)...)
			is.True(got.code != 0)
			lines := strings.Split(strings.TrimSpace(got.stdout), "\n")
			text := got.stdout
			if strings.HasPrefix(lines[0], `{"`) {
				text = lines[len(lines)-1] // of an apply's events
			}
			answer := decode[struct {
				Error struct {
					Code, Message string
					Details       map[string]any
				}
			}](t, text)
			is.Equal(answer.Error.Code, test.code)
			is.True(strings.Contains(answer.Error.Message, test.says))
			is.True(answer.Error.Details != nil)
			is.True(strings.Contains(got.stderr, "Error:")) // for people, as ever
		})
	}
	is := is.New(t)
	is.Equal(decode[map[string]any](t, h.must("recover", "--json").stdout), map[string]any{"recovered": false, "rolled_back": false})
	is.Equal(h.run("list", "--json=false", "extra").stdout, "")
}

func TestValidateTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	h.write("bad.json", `{"routes":[
		{"droplet_name":"alpha","domain":"a;b","upstream_port":8001},
		{"droplet_name":"beta","domain":"beta.example.test","upstream_port":8001},
		{"droplet_name":"gamma","domain":"gamma.example.test","upstream_port":99999}],
		"certificates":[{"name":"delta","domains":["x y"]}]}`)
	got := h.run("validate", "-f", "bad.json", "--json")
	is.Equal(got.code, 1)
	answer := decode[struct {
		Error struct {
			Details struct {
				Field  string
				Errors []struct{ Field, Constraint string }
			}
		}
	}](t, got.stdout)
	is.Equal(answer.Error.Details.Field, "routes[0].domain")
	is.Equal(len(answer.Error.Details.Errors), 3)
	for i, field := range []string{"routes[0].domain", "routes[2].upstream_port", "certificates[0].domains"} {
		is.True(strings.HasPrefix(answer.Error.Details.Errors[i].Field, field))
		is.True(answer.Error.Details.Errors[i].Constraint != "")
		is.True(strings.Contains(got.stderr, field))
	}
}
