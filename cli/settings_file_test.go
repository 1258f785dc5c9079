package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestTheSettingsFileIsReadAsSystemdReadsIt(t *testing.T) {
	is := is.New(t)
	const text = "# a comment\n; and one\r\n\n  \tNGINX_BIN = /n \t\nNGINX_CONF='/a b' \"/c\\\"d\\e\"f \r\n" +
		"LOG_LEVEL=in\\\nfo\nLOG_FORMAT=\"te\\\nxt\"\nDROPLET_ID=a'b\" c#d\nSERVICE_NAME=\\'x\nENVIRONMENT=first\nENVIRONMENT=\n" +
		"REGISTRY_URL='two\nlines'\nexport HEALTH_CHECK_PATH=/x\nNO_SETTING=1\nnothing\nUPSTREAM_DENY=a = b"
	f, err := parseSettingsFile("/f", text)
	is.NoErr(err)
	want := map[string]string{
		"NGINX_BIN": "/n", "NGINX_CONF": `/a b/c"d\ef`, "LOG_LEVEL": "info", "LOG_FORMAT": "text", "DROPLET_ID": `a'b" c#d`,
		"SERVICE_NAME": "'x", "ENVIRONMENT": "", "REGISTRY_URL": "two\nlines", "UPSTREAM_DENY": "a = b",
	}
	for name, value := range want {
		is.Equal(f.lines[name].value, value)
	}
	is.Equal(len(f.lines), len(want))
	is.Equal(f.lines["UPSTREAM_DENY"].line, 19)
	is.Equal(f.warnings, []string{
		`/f:16: there is no setting "export HEALTH_CHECK_PATH"`, `/f:17: there is no setting "NO_SETTING"`, `/f:18: there is no setting "nothing"`,
	})
	sayAsSystemd(t, text, want)
}

// sayAsSystemd holds the values against those that systemd's own reader finds, where it is there and runs.
func sayAsSystemd(t *testing.T, text string, want map[string]string) {
	path := filepath.Join(t.TempDir(), "settings")
	is := is.New(t)
	is.NoErr(os.WriteFile(path, []byte(text), 0o600))
	out, err := exec.Command("systemd-run", "--quiet", "--pipe", "--wait", "--property=EnvironmentFile="+path, "env", "-0").Output()
	if err != nil {
		t.Log("systemd was not asked: ", err)
		return
	}
	got := map[string]string{}
	for v := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(v, "=")
		got[name] = value
	}
	for name, value := range want {
		is.Equal(got[name], value)
	}
}

func TestWhatASettingsFileCanMeanInTwoWaysIsRefusedWithItsLine(t *testing.T) {
	for text, says := range map[string]string{
		"\ufeffNGINX_BIN=/n":                    "/f:1: begins with a byte order mark",
		"\n# goes on?\\\nNGINX_BIN=/n":          "/f:2: a comment ends with a backslash",
		"LOG_LEVEL=info\nNGINX_BIN=\"/n\nA=1\n": "/f:2: a quote is opened and never closed",
		"NGINX_BIN='/n":                         "/f:1: a quote is opened and never closed",
	} {
		_, err := parseSettingsFile("/f", text)
		if err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestASettingsFileThatOthersCouldChangeIsRefused(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	inner := filepath.Join(dir, "inner")
	path, link := filepath.Join(inner, "settings"), filepath.Join(dir, "link")
	is.NoErr(os.Mkdir(inner, 0o755))
	is.NoErr(os.WriteFile(path, []byte("NGINX_BIN=/n\n"), 0o644))
	is.NoErr(os.Symlink("inner/../inner/settings", link))
	good := func(path string) error { _, err := readSettingsFile(path, true); return err }
	is.NoErr(good(path))
	is.NoErr(good(link))
	for _, open := range []struct {
		what     string
		bad, now os.FileMode
	}{{path, 0o646, 0o644}, {path, 0o664, 0o644}, {inner, 0o777, 0o755}, {inner, 0o775, 0o755}, {dir, 0o757, 0o755}} {
		is.NoErr(os.Chmod(open.what, open.bad))
		for _, by := range []string{path, link} {
			err := good(by)
			is.True(err != nil && strings.Contains(err.Error(), open.what+" can be written by others")) // which one
		}
		is.NoErr(os.Chmod(open.what, open.now))
	}
	// In a directory like /tmp others can't replace it.
	is.NoErr(os.Chmod(inner, 0o777|os.ModeSticky))
	is.NoErr(good(path))
	if os.Geteuid() == 0 {
		for _, what := range []string{path, link, inner} {
			is.NoErr(os.Lchown(what, 65534, -1))
			err := good(link)
			is.True(err != nil && strings.Contains(err.Error(), what+" belongs to user 65534"))
			is.NoErr(os.Lchown(what, 0, -1))
		}
	}
	is.True(strings.Contains(good(dir).Error(), "no regular file"))
	is.NoErr(os.Remove(link))
	is.NoErr(os.Symlink("link", link))
	is.True(strings.Contains(good(link).Error(), "too many levels"))
}
