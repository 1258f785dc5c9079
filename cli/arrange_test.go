package cli

import (
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestOptionsMayStandAnywhere(t *testing.T) {
	for _, test := range []struct{ typed, arranged string }{
		{"", ""},
		{"plan", "plan"},
		{"put shop --domain a.example", "put --domain a.example -- shop"},
		{"put --domain a.example shop --hsts", "put --domain a.example --hsts -- shop"},
		{"put shop --enable-ssl=false --upstream-port 1", "put --enable-ssl=false --upstream-port 1 -- shop"},
		{"put shop --hsts --nginx-conf /n.conf", "--nginx-conf /n.conf put --hsts -- shop"},
		{"adopt FILE --as NAME", "adopt --as NAME -- FILE"},
		// A name that both have is the command's behind it, and global before it.
		{"--health-check-path /a put shop --health-check-path /b", "--health-check-path /a put --health-check-path /b -- shop"},
		{"plan --health-check-path /a", "--health-check-path /a plan"},
		// What an option takes is never looked at, though it looks like an option itself.
		{"put shop --domain --hsts", "put --domain --hsts -- shop"},
		{"plan -f -", "plan -f -"},
		{"show -", "show -- -"},
		// Switches take nothing.
		{"--auto-issue-ssl list", "--auto-issue-ssl list"},
		{"apply --auto-approve plan.json", "apply --auto-approve -- plan.json"},
		// Behind "--" there are no options.
		{"show -- --json", "show -- --json"},
		{"put -- shop --hsts", "put -- shop --hsts"},
		// What nobody knows is left for the command to refuse.
		{"list --nonsense x", "list --nonsense -- x"},
		{"nonsense --json", "nonsense --json"},
		{"get shop --help", "get --help -- shop"},
		{"list --json --generate-bash-completion", "list --json --generate-bash-completion"},
	} {
		t.Run(test.typed, func(t *testing.T) {
			is := is.New(t)
			app := newProgram(Streams{}).app()
			got, _ := arrange(app, append([]string{"proxy-manager"}, strings.Fields(test.typed)...))
			is.Equal(strings.Join(got[1:], " "), test.arranged)
		})
	}
}

func TestEverySettingHasAFlagOfItsOwn(t *testing.T) {
	is := is.New(t)
	seen := map[string]string{}
	for _, s := range settingsTable {
		is.Equal(seen[s.flagName()], "")
		seen[s.flagName()] = s.variable
		is.True(strings.ToUpper(strings.ReplaceAll(s.flagName(), "-", "_")) == strings.TrimPrefix(s.variable, "PROXY_MANAGER_"))
	}
	_, err := resolveWith(nil, func(string) string { return "" }, settingsFile{})
	is.NoErr(err) // the defaults are good values
}

func TestAllWrongSettingsAreReportedAtOnce(t *testing.T) {
	is := is.New(t)
	env := map[string]string{"NGINX_BIN": "nginx", "LOG_LEVEL": "loud"}
	_, err := resolveWith(nil, func(name string) string { return env[name] }, settingsFile{})
	is.True(err != nil)
	is.True(strings.Contains(err.Error(), "NGINX_BIN") && strings.Contains(err.Error(), "LOG_LEVEL"))
}
