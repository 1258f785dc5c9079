package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestAFlagWinsOverTheEnvironmentAndThatOverTheDefault(t *testing.T) {
	is := is.New(t)
	config := func(env []string, args ...string) map[string]string {
		cmd := exec.Command(binary, args...)
		cmd.Env = env
		got := finish(t, cmd)
		is.Equal(got.stderr, "")
		type row struct{ Name, Flag, Value, Source string }
		m := map[string]string{}
		for _, r := range decode[[]row](t, got.stdout) {
			m[r.Name] = r.Value + " (" + r.Source + ")"
		}
		return m
	}
	got := config(nil, "config", "--json")
	is.Equal(len(got), 38)
	is.Equal(got["NGINX_HTTP_PORT"], "80 (default)")
	is.Equal(got["PROXY_MANAGER_STATE_DIR"], "/var/lib/proxy-manager (default)")
	is.Equal(got["UPSTREAM_DENY"], "169.254.0.0/16,fe80::/10 (default)")
	env := []string{"NGINX_HTTP_PORT=81", "NGINX_CONF=", "AUTO_ISSUE_SSL=true"}
	got = config(env, "config", "--json")
	is.Equal(got["NGINX_HTTP_PORT"], "81 (environment)")
	is.Equal(got["NGINX_CONF"], " (default)") // empty is unset
	is.Equal(got["AUTO_ISSUE_SSL"], "true (environment)")
	got = config(env, "--auto-issue-ssl=false", "config", "--nginx-http-port", "82", "--json", "--state-dir=/srv/state")
	is.Equal(got["NGINX_HTTP_PORT"], "82 (flag)")
	is.Equal(got["PROXY_MANAGER_STATE_DIR"], "/srv/state (flag)")
	is.Equal(got["AUTO_ISSUE_SSL"], "false (flag)")
	got = config(nil, "--auto-issue-ssl", "config", "--json")
	is.Equal(got["AUTO_ISSUE_SSL"], "true (flag)")
}

func TestEveryCommandReadsTheSettingsFileThatTheServiceReads(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	// The lab's environment, as a settings file.
	h.write("settings", strings.Join(h.env, "\r\n")+"\nLOG_LEVEL=warn\n")
	file := filepath.Join(h.Dir, "settings")
	h.env = []string{"PROXY_MANAGER_CONFIG=" + file}
	port := h.Upstream("alpha").Port()
	for _, args := range [][]string{put("alpha", port, "--enable-ssl=false"), {"plan", "-f", h.desire(port, "alpha")}, {"list"}, {"get", "alpha"}, {"drift"}, {"history"}} {
		got := h.must(args...)
		is.True(strings.Contains(got.stderr, file+":")) // PATH is no setting: it is told
		is.True(strings.Contains(got.stderr, `there is no setting "PATH"`))
		is.True(!strings.Contains(got.stdout, "PATH"))
	}
	answer, err := h.Get("alpha.example.test", "/name")
	is.NoErr(err)
	is.Equal(answer.Body, "alpha\n")

	type row struct{ Name, Value, Source, Place string }
	source := func(args ...string) (row, row) {
		rows := decode[[]row](t, h.must(append([]string{"config", "--json"}, args...)...).stdout)
		level := rows[slices.IndexFunc(rows, func(r row) bool { return r.Name == "LOG_LEVEL" })]
		return rows[0], level
	}
	config, level := source()
	is.Equal(config, row{"PROXY_MANAGER_CONFIG", file, "environment", ""})
	is.Equal(level, row{"LOG_LEVEL", "warn", "file", file + ":16"})
	h.env = append(h.env, "LOG_LEVEL=error")
	_, level = source()
	is.Equal(level, row{"LOG_LEVEL", "error", "environment", ""})
	_, level = source("--log-level", "debug")
	is.Equal(level, row{"LOG_LEVEL", "debug", "flag", ""})
	none := decode[[]row](t, h.must("config", "--json", "--config=").stdout)
	is.Equal(none[0], row{"PROXY_MANAGER_CONFIG", "", "flag", ""})
	is.True(strings.Contains(h.must("config").stdout, file+":")) // the table says where from, too
}

func TestASettingsFileThatWasNamedMustBeThereAndItsWrongValuesAreRefusedWithFileAndLine(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "settings")
	list := func(config string, env ...string) outcome {
		cmd := exec.Command(binary, "schema")
		cmd.Env = append(env, "PROXY_MANAGER_CONFIG="+config)
		return finish(t, cmd)
	}
	for config, says := range map[string]string{file: "settings: no such file", "settings": "an absolute path", dir: "no regular file"} {
		got := list(config)
		is.Equal(got.code, 1)
		is.True(strings.Contains(got.stderr, says))
	}
	is.NoErr(os.WriteFile(file, []byte("# ours\nNGINX_BIN=nginx\n"), 0o600))
	got := list(file)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, file+`:2: NGINX_BIN is "nginx", but must be an absolute path`))
	is.Equal(list(file, "NGINX_BIN=/n").code, 0) // it is not in force
	is.NoErr(os.Chmod(file, 0o666))
	got = list(file)
	is.Equal(got.code, 1)
	is.True(strings.Contains(got.stderr, "can be written by others"))
}

func TestAnOptionIsTakenOnlyByCommandsThatItMeansSomethingTo(t *testing.T) {
	is := is.New(t)
	for _, test := range []struct{ args, says string }{
		{"put shop --port 9000", "put takes no option --port, which is for: config, serve."},
		{"--port 9000 put shop", "put takes no option --port"},
		{"apply --log-level debug", "--log-level"},
		{"list --auto-issue-ssl", "is for: config, put, serve."},
		{"plan --registry-url http://r.example", "is for: config, serve, sync."},
		{"history --nginx-bin /n", "--nginx-bin"},
		{"schema --state-dir /s", "--state-dir"},
		{"validate --history-keep 1h", "--history-keep"},
		{"list --trusted-proxies 10.0.0.0/8", "--trusted-proxies"},
		{"plan --destroy -f proxies.json", "--destroy"},
	} {
		got := finish(t, exec.Command(binary, strings.Fields(test.args)...))
		is.Equal(got.code, 1)
		if !strings.Contains(got.stderr, test.says) {
			t.Errorf("%s: %s", test.args, got.stderr)
		}
	}
	// And help tells which they are.
	is.True(strings.Contains(finish(t, exec.Command(binary, "serve", "--help")).stdout, " --port"))
	is.True(!strings.Contains(finish(t, exec.Command(binary, "put", "--help")).stdout, " --port"))
}

func TestAWrongSettingIsRefusedWithItsNameItsValueAndWhatIsAllowed(t *testing.T) {
	for name, test := range map[string]struct{ value, allowed string }{
		"PROXY_MANAGER_HOST":      {"a b", "an IP address or a host name"},
		"PROXY_MANAGER_PORT":      {"99999", "from 1 to 65535"},
		"PROXY_MANAGER_LISTEN":    {"tcp:1", "unix:/PATH or systemd"},
		"PROXY_MANAGER_STATE_DIR": {"state", "an absolute path"},
		"NGINX_BIN":               {"nginx", "an absolute path"},
		"NGINX_HTTP_PORT":         {"http", "from 1 to 65535"},
		"ACME_DIRECTORY_URL":      {"letsencrypt", "a URL"},
		"DEFAULT_SSL_EMAIL":       {"nobody", "an email address such as"},
		"AUTO_ISSUE_SSL":          {"maybe", "true or false"},
		"HEALTH_CHECK_TIMEOUT_MS": {"1s", "a number of milliseconds"},
		"HEALTH_CHECK_PATH":       {"health", "a path that begins with one '/'"},
		"RENEW_BEFORE_DAYS":       {"0", "a number of days"},
		"RENEW_CHECK_INTERVAL":    {"1s", "a duration"},
		"TRUSTED_PROXIES":         {"10.0.0.0/33", "networks"},
		"DEFAULT_SERVER":          {"on", "auto or off"},
		"UPSTREAM_CA_FILE":        {"ca.pem", "an absolute path"},
		"UPSTREAM_DENY":           {"everything", "networks"},
		"LOG_LEVEL":               {"loud", "debug or info or warn or error"},
		"LOG_FORMAT":              {"xml", "json or text"},
		"REGISTRY_URL":            {"ftp://x", "a URL"},

		"PROXY_MANAGER_ALLOWED_HOSTS": {"pm.example,a/b", "host names"},
		"HISTORY_KEEP":                {"7", "a duration from 1m"},
		"HISTORY_KEEP_APPLIES":        {"0", "a number of applies"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary, "list")
			cmd.Env = []string{name + "=" + test.value}
			got := finish(t, cmd)
			if got.code != 1 || got.stdout != "" {
				t.Errorf("exit %d, %q", got.code, got.stdout)
			}
			for _, says := range []string{name, test.value, test.allowed} {
				if !strings.Contains(got.stderr, says) {
					t.Errorf("nothing said of %q: %s", says, got.stderr)
				}
			}
		})
	}
}

func TestSchemaAndVersionAreJSON(t *testing.T) {
	is := is.New(t)
	for _, args := range [][]string{{"schema"}, {"version", "--json"}} {
		got := finish(t, exec.Command(binary, args...))
		is.Equal(got.code, 0)
		is.True(json.Valid([]byte(got.stdout)))
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, name := range strings.Fields("plan apply destroy show validate list get put delete ssl renew drift adopt history rollback recover sync health serve config schema version completion") {
		got := finish(t, exec.Command(binary, name, "--help"))
		if got.code != 0 || !strings.Contains(got.stdout, "   proxy-manager "+name+" ") && !strings.Contains(got.stdout, "proxy-manager "+name+"\n") {
			t.Errorf("%s: exit %d\n%s", name, got.code, got.stdout)
		}
	}
}

func TestTheCompletionScriptsAreGoodAndOfferCommandsOptionsAndNames(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := finish(t, exec.Command(binary, "completion", shell))
		is.Equal(script.code, 0)
		path, err := exec.LookPath(shell)
		if err != nil {
			continue // only its own shell can say whether a script is good
		}
		check := exec.Command(path, "-n")
		check.Stdin = strings.NewReader(script.stdout)
		is.Equal(finish(t, check).code, 0)
	}
	is.Equal(finish(t, exec.Command(binary, "completion", "tcsh")).code, 1)

	h := startHost(t)
	h.must(put("shop", h.Upstream("alpha").Port(), "--enable-ssl=false")...)
	offers := func(typed string) string {
		cmd := exec.Command("bash", "-c", `source <(proxy-manager completion bash); COMP_WORDS=(`+typed+`); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _proxy_manager; echo "${COMPREPLY[*]}"`)
		cmd.Env = append(h.env, "PATH="+strings.TrimSuffix(binary, "/proxy-manager")+":/usr/bin:/bin")
		return strings.TrimSpace(finish(t, cmd).stdout)
	}
	is.Equal(offers(`proxy-manager val`), "validate")
	is.Equal(offers(`proxy-manager plan --det`), "--detailed-exitcode")
	is.Equal(offers(`proxy-manager get s`), "shop")
}

func TestTheManualPageIsOne(t *testing.T) {
	is := is.New(t)
	got := finish(t, exec.Command(binary, "man"))
	is.Equal(got.code, 0)
	is.True(strings.Contains(got.stdout, `.SH NAME`))
}

func TestVersionNamesBothPrograms(t *testing.T) {
	t.Parallel()
	is := is.New(t)
	h := startHost(t)
	facts := decode[map[string]string](t, h.must("version", "--json").stdout)
	is.Equal(facts["plan_format"], "1.0")
	is.Equal(h.must("version").stdout, "proxy-manager "+facts["proxy_manager"]+"\nnginx "+facts["nginx"]+"\n")
	is.True(facts["nginx"] != "")
	is.True(strings.Contains(h.must("version", "--nginx-bin", "/nowhere/nginx").stdout, "nginx not found at /nowhere/nginx\n"))
}
