package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/urfave/cli/v2"
)

// settings are the effective values of the table below: what the flags say, else the environment, else the settings file,
// else the defaults.
type settings struct {
	Config           string
	Host             string
	Port             int
	Listen           string // "unix:/path" or "systemd"; empty for Host and Port
	AllowedHosts     []string
	StateDir         string
	TokenFile        string
	NginxBin         string
	NginxConf        string
	SitesAvailable   string
	SitesEnabled     string
	HTTPPort         int
	HTTPSPort        int
	CertbotBin       string
	CertbotConfigDir string
	CertbotWorkDir   string
	CertbotLogsDir   string
	ACMEDirectoryURL string
	Email            string
	AutoIssueSSL     bool
	RegistryURL      string

	HealthCheckTimeout time.Duration
	HealthCheckPath    string
	RenewBefore        time.Duration
	RenewCheckInterval time.Duration
	NginxListen        []string
	HistoryKeep        time.Duration
	HistoryKeepApplies int
	UpstreamCAFile     string
	TrustedProxies     []netip.Prefix
	DefaultServer      string // "auto" or "off"
	UpstreamDeny       []netip.Prefix
	LogLevel           string
	LogFormat          string

	ServiceName     string
	DropletID       string
	Environment     string
	OrchestratorURL string

	effective []effectiveSetting // in the order of the table
	warnings  []string           // of what is in the settings file and is none
}

// A setting is one row of the table: an environment variable and the flag of the same meaning.
type setting struct {
	variable string
	fallback string
	help     string
	into     target
	use      use
}

// settingsTable is every setting there is, in the order in which people are shown them.
var settingsTable = []setting{
	{configVariable, defaultConfig, "file of settings, VARIABLE=value a line, which the environment and options go before; --config= for none", to(absolutePath, func(s *settings) *string { return &s.Config }), useAlways},
	{"PROXY_MANAGER_HOST", "127.0.0.1", "address on which serve listens", to(hostText, func(s *settings) *string { return &s.Host }), useServe},
	{"PROXY_MANAGER_PORT", "8100", "port on which serve listens", to(portNumber, func(s *settings) *int { return &s.Port }), useServe},
	{"PROXY_MANAGER_LISTEN", "", "where serve listens instead: unix:/PATH, or systemd for socket activation", to(listenText, func(s *settings) *string { return &s.Listen }), useServe},
	{"PROXY_MANAGER_ALLOWED_HOSTS", "", "names by which clients may call serve, beside loopback's and the address that it listens on", to(hostNames, func(s *settings) *[]string { return &s.AllowedHosts }), useServe},
	{"PROXY_MANAGER_STATE_DIR", "/var/lib/proxy-manager", "directory of the lock, the journal, the history and the ACME webroot", to(absolutePath, func(s *settings) *string { return &s.StateDir }), useState},
	{"PROXY_MANAGER_TOKEN_FILE", "", "file of API tokens, one a line; with it serve asks for one", to(absolutePath, func(s *settings) *string { return &s.TokenFile }), useServe},
	{"HISTORY_KEEP", "168h", "how long what is needed to roll an apply back is kept", to(keeping, func(s *settings) *time.Duration { return &s.HistoryKeep }), useChange},
	{"HISTORY_KEEP_APPLIES", "1000", "of how many applies it is kept at most", to(applies, func(s *settings) *int { return &s.HistoryKeepApplies }), useChange},
	{"NGINX_BIN", "/usr/sbin/nginx", "nginx's program", to(absolutePath, func(s *settings) *string { return &s.NginxBin }), useNginx},
	{"NGINX_CONF", "", "nginx's configuration file; unset for nginx's own default", to(absolutePath, func(s *settings) *string { return &s.NginxConf }), useHost},
	{"NGINX_SITES_AVAILABLE", "/etc/nginx/sites-available", "directory of the sites' files", to(absolutePath, func(s *settings) *string { return &s.SitesAvailable }), useHost},
	{"NGINX_SITES_ENABLED", "/etc/nginx/sites-enabled", "directory of the links to the enabled sites", to(absolutePath, func(s *settings) *string { return &s.SitesEnabled }), useHost},
	{"NGINX_HTTP_PORT", "80", "port of HTTP in generated servers", to(portNumber, func(s *settings) *int { return &s.HTTPPort }), useHost},
	{"NGINX_HTTPS_PORT", "443", "port of HTTPS in generated servers", to(portNumber, func(s *settings) *int { return &s.HTTPSPort }), useHost},
	{"CERTBOT_BIN", "/usr/bin/certbot", "certbot's program", to(absolutePath, func(s *settings) *string { return &s.CertbotBin }), useHost},
	{"CERTBOT_CONFIG_DIR", "", "certbot's --config-dir; unset for certbot's own default", to(absolutePath, func(s *settings) *string { return &s.CertbotConfigDir }), useHost},
	{"CERTBOT_WORK_DIR", "", "certbot's --work-dir; unset for certbot's own default", to(absolutePath, func(s *settings) *string { return &s.CertbotWorkDir }), useHost},
	{"CERTBOT_LOGS_DIR", "", "certbot's --logs-dir; unset for certbot's own default", to(absolutePath, func(s *settings) *string { return &s.CertbotLogsDir }), useHost},
	{"ACME_DIRECTORY_URL", "https://acme-v02.api.letsencrypt.org/directory", "directory of the ACME CA", to(webURL, func(s *settings) *string { return &s.ACMEDirectoryURL }), usePlan},
	{"DEFAULT_SSL_EMAIL", "admin@fullpotential.ai", "address of the ACME account", to(emailAddress, func(s *settings) *string { return &s.Email }), usePlan},
	{"AUTO_ISSUE_SSL", "false", "whether putting a route with enable_ssl obtains its certificate at once", to(yesOrNo, func(s *settings) *bool { return &s.AutoIssueSSL }), useIssue},
	{"REGISTRY_URL", "", "base URL of the droplet registry", to(webURL, func(s *settings) *string { return &s.RegistryURL }), useRegistry},
	{"HEALTH_CHECK_TIMEOUT_MS", "1000", "how long an upstream may take to answer its health check, in milliseconds", to(milliseconds, func(s *settings) *time.Duration { return &s.HealthCheckTimeout }), useHost},
	{"HEALTH_CHECK_PATH", "/health", "path of the health check, for routes that name none", to(urlPath, func(s *settings) *string { return &s.HealthCheckPath }), useHost},
	{"RENEW_BEFORE_DAYS", "30", "a certificate is due when it has less left than this many days", to(days, func(s *settings) *time.Duration { return &s.RenewBefore }), useHost},
	{"RENEW_CHECK_INTERVAL", "12h", "how often serve looks for certificates that are due", to(interval, func(s *settings) *time.Duration { return &s.RenewCheckInterval }), useServe},
	{"NGINX_LISTEN", "*,[::]", "addresses that generated servers listen on", to(listens, func(s *settings) *[]string { return &s.NginxListen }), usePlan},
	{"TRUSTED_PROXIES", "", "networks whose X-Forwarded-For is believed", to(networks, func(s *settings) *[]netip.Prefix { return &s.TrustedProxies }), usePlan},
	{"DEFAULT_SERVER", "auto", "auto: own the default server of a port where no other site does; off: never", to(choice("auto", "off"), func(s *settings) *string { return &s.DefaultServer }), usePlan},
	{"UPSTREAM_CA_FILE", "", "authorities that upstreams with https and a name are verified against; unset for the system's", to(absolutePath, func(s *settings) *string { return &s.UpstreamCAFile }), usePlan},
	{"UPSTREAM_DENY", "169.254.0.0/16,fe80::/10", "networks at which no route may point, however the address is written", to(networks, func(s *settings) *[]netip.Prefix { return &s.UpstreamDeny }), useHost},
	{"LOG_LEVEL", "info", "least level that serve logs", to(choice("debug", "info", "warn", "error"), func(s *settings) *string { return &s.LogLevel }), useServe},
	{"LOG_FORMAT", "json", "form of serve's log", to(choice("json", "text"), func(s *settings) *string { return &s.LogFormat }), useServe},
	{"SERVICE_NAME", "proxy-manager", "name under which serve presents itself", to(plainText, func(s *settings) *string { return &s.ServiceName }), useServe},
	{"DROPLET_ID", "", "id under which serve presents itself", to(plainText, func(s *settings) *string { return &s.DropletID }), useServe},
	{"ENVIRONMENT", "production", "environment in which serve says it runs", to(plainText, func(s *settings) *string { return &s.Environment }), useServe},
	{"ORCHESTRATOR_URL", "", "base URL of the orchestrator with which serve registers", to(webURL, func(s *settings) *string { return &s.OrchestratorURL }), useServe},
}

// The settings file, and the setting that names another.
const (
	configVariable = "PROXY_MANAGER_CONFIG"
	defaultConfig  = "/etc/default/proxy-manager"
)

func knownSetting(variable string) bool {
	// Which file to read is not for the file to say.
	return variable != configVariable && slices.ContainsFunc(settingsTable, func(t setting) bool { return t.variable == variable })
}

// flagName is the variable's name in a flag's spelling: PROXY_MANAGER_STATE_DIR is --state-dir, NGINX_BIN --nginx-bin.
func (t setting) flagName() string {
	name := strings.TrimPrefix(t.variable, "PROXY_MANAGER_")
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// The sources of a setting's value.
const (
	fromFlag        = "flag"
	fromEnvironment = "environment"
	fromFile        = "file"
	fromDefault     = "default"
)

// An effectiveSetting is one value in force.
type effectiveSetting struct {
	Name  string `json:"name"`
	Flag  string `json:"flag"`
	Value string `json:"value"`
	// Source is where the value comes from: flag, environment, file or default.
	Source string `json:"source"`
	// Place is the settings file and the line in it, such as /etc/default/proxy-manager:3, where the source is a file.
	Place string `json:"place,omitempty"`
}

// flagValues are what the command line says, by variable.
type flagValues map[string]*flagValue

// A flagValue is a setting's flag as it was typed. Checking it is resolve's business, which also checks the environment.
type flagValue struct {
	text    string
	given   bool
	boolean bool
}

func (v *flagValue) Set(text string) error { v.text, v.given = text, true; return nil }
func (v *flagValue) String() string        { return v.text }

// IsBoolFlag lets package flag take --auto-issue-ssl without a value for true.
func (v *flagValue) IsBoolFlag() bool { return v.boolean }

// settingFlags returns a flag for each setting, and where their values will be.
func settingFlags() ([]cli.Flag, flagValues) {
	var flags []cli.Flag
	values := flagValues{}
	for _, t := range settingsTable {
		v := &flagValue{boolean: t.into.boolean}
		values[t.variable] = v
		flags = append(flags, &cli.GenericFlag{
			Name: t.flagName(), Usage: t.help + " [$" + t.variable + "]", DefaultText: cmp.Or(t.fallback, "unset"), Value: v,
		})
	}
	return flags, values
}

// resolve reads the settings file, and works out the value of each setting.
func resolve(values flagValues, getenv func(string) string) (*settings, error) {
	config := settingsTable[slices.IndexFunc(settingsTable, func(t setting) bool { return t.variable == configVariable })]
	which := config.effective(values, getenv, settingsFile{})
	if which.Value == "" {
		return resolveWith(values, getenv, settingsFile{}) // --config= is for none
	}
	if _, err := absolutePath(which.Value); err != nil {
		return nil, wrongSettings(wrongSetting(which, err))
	}
	file, err := readSettingsFile(which.Value, which.Source != fromDefault)
	if err != nil {
		return nil, err
	}
	return resolveWith(values, getenv, file)
}

// resolveWith works out the value of each setting. All that are wrong are reported, not only the first.
func resolveWith(values flagValues, getenv func(string) string, file settingsFile) (*settings, error) {
	s := &settings{warnings: file.warnings}
	var errs []error
	for _, t := range settingsTable {
		e := t.effective(values, getenv, file)
		s.effective = append(s.effective, e)
		if e.Value == "" {
			continue
		}
		if err := t.into.set(s, e.Value); err != nil {
			errs = append(errs, wrongSetting(e, err))
		}
	}
	if s.HTTPPort == s.HTTPSPort && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("NGINX_HTTP_PORT and NGINX_HTTPS_PORT are both %d; they must differ", s.HTTPPort))
	}
	if len(errs) > 0 {
		return nil, wrongSettings(errs...)
	}
	return s, nil
}

// effective is the value in force. An empty variable is an unset one: that is how unit files and shells take a value back.
func (t setting) effective(values flagValues, getenv func(string) string, file settingsFile) effectiveSetting {
	e := effectiveSetting{Name: t.variable, Flag: "--" + t.flagName(), Value: t.fallback, Source: fromDefault}
	if v := values[t.variable]; v != nil && v.given {
		e.Value, e.Source = v.text, fromFlag
	} else if text := getenv(t.variable); text != "" {
		e.Value, e.Source = text, fromEnvironment
	} else if a := file.lines[t.variable]; a.value != "" {
		e.Value, e.Source, e.Place = a.value, fromFile, fmt.Sprintf("%s:%d", file.path, a.line)
	}
	return e
}

func wrongSettings(errs ...error) error {
	return &engine.Error{Code: engine.InvalidInput, Message: "wrong settings", Err: errors.Join(errs...)}
}

func wrongSetting(e effectiveSetting, err error) error {
	name := e.Name
	switch e.Source {
	case fromFlag:
		name = e.Flag + " (" + e.Name + ")"
	case fromFile:
		name = e.Place + ": " + e.Name
	}
	return fmt.Errorf("%s is %.100q, but must be %w", name, e.Value, err)
}

// engineOptions are the settings as the engine takes them.
func (s *settings) engineOptions() engine.Options {
	return engine.Options{
		Nginx: engine.NginxOptions{
			Bin: s.NginxBin, Conf: s.NginxConf, SitesAvailable: s.SitesAvailable, SitesEnabled: s.SitesEnabled,
			HTTPPort: s.HTTPPort, HTTPSPort: s.HTTPSPort, Listen: s.NginxListen, TrustedProxies: s.TrustedProxies, NoDefaultServer: s.DefaultServer == "off",
		},
		Certbot: engine.CertbotOptions{Bin: s.CertbotBin, ConfigDir: s.CertbotConfigDir, WorkDir: s.CertbotWorkDir, LogsDir: s.CertbotLogsDir},
		ACME: engine.ACMEOptions{
			DirectoryURL: s.ACMEDirectoryURL, Email: s.Email, RenewBefore: s.RenewBefore, RenewInterval: s.RenewCheckInterval,
		},
		Upstreams: engine.UpstreamOptions{
			CheckTimeout: s.HealthCheckTimeout, CheckPath: s.HealthCheckPath, CAFile: s.UpstreamCAFile, Deny: s.UpstreamDeny,
		},
		State: engine.StateOptions{Dir: s.StateDir, Keep: s.HistoryKeep, KeepApplies: s.HistoryKeepApplies},
	}
}
