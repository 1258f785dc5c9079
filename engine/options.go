package engine

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// Options say which nginx, which directories and which rules an [Engine] works with. The zero value is Debian's layout, and
// means what the program's own settings mean by default.
type Options struct {
	Nginx     NginxOptions
	Certbot   CertbotOptions
	ACME      ACMEOptions
	Upstreams UpstreamOptions
	State     StateOptions

	// Actor is who asks, for the history and the lock; the user's name by default. [WithActor] says it per call.
	Actor string
	// Kinds are step kinds of your own.
	Kinds []StepKind
	// Resources are the decoders of kinds of resource of your own, by the kind's name.
	Resources map[string]Decoder
	// OnEvent, if set, is called for every step as it starts and ends, from the goroutines that do the steps: several at
	// once where upstreams are asked. It must not block: nginx waits for it. If it panics, that is logged and the apply goes
	// on.
	OnEvent func(Event)
	// Logger is told what callers can't be, such as what was put aside; by default nobody is.
	Logger *slog.Logger

	// FS is the host's files, Clock time.Now, and NewID makes ids of applies that sort by time, unless set. They may be
	// called from any goroutine.
	FS    host.FS
	Clock func() time.Time
	NewID func() string
}

// NginxOptions say which nginx is driven, and what generated servers listen on.
type NginxOptions struct {
	Bin  string // by default /usr/sbin/nginx
	Conf string // if set, passed as -c: lets the engine drive a private nginx
	// SitesAvailable and SitesEnabled hold the sites and the links to them; by default the folders of those names in
	// /etc/nginx.
	SitesAvailable, SitesEnabled string
	HTTPPort                     int           // by default 80
	HTTPSPort                    int           // by default 443
	Timeout                      time.Duration // for one nginx -t, and for one reload; by default 1 minute
	// NoDefaultServer leaves unknown hosts to the site that nginx takes for the default by itself.
	NoDefaultServer bool
	// TrustedProxies are networks whose X-Forwarded-For is believed; by default none.
	TrustedProxies []netip.Prefix
	// Listen are the addresses that generated servers listen on: "*", "[::]", "203.0.113.5", "[2001:db8::5]"; by default "*" and
	// "[::]", all of the host's.
	Listen []string
	// Resolvers are the DNS servers that nginx asks for upstreams with a name; by default those of /etc/resolv.conf.
	Resolvers []netip.AddrPort
}

// CertbotOptions say which certbot is run. Directories default to its own.
type CertbotOptions struct {
	Bin                         string // by default /usr/bin/certbot
	ConfigDir, WorkDir, LogsDir string
	Timeout                     time.Duration // for one run; by default 5 minutes
	LockWait                    time.Duration // for another certbot to end; by default 30 seconds
}

// ACMEOptions say from which CA certificates come, and when they are renewed.
type ACMEOptions struct {
	DirectoryURL string // by default Let's Encrypt's
	Email        string // the account's, where a certificate names none; by default admin@fullpotential.ai
	// RenewBefore is how long before its end a certificate is due, at most a third of its lifetime; by default 30 days.
	RenewBefore   time.Duration
	RenewInterval time.Duration // between two looks of [Engine.Maintain]; by default 12 hours
	SkipPreflight bool          // do not fetch a token from the own webroot before the CA is asked
	// LookupHost resolves the names of certificates and of the CA before it is asked; by default the system's resolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)
}

// UpstreamOptions say how upstreams are asked for their health, and where none may be.
type UpstreamOptions struct {
	CheckTimeout time.Duration // by default 1 second
	CheckPath    string        // where a route has none of its own; by default /health
	// CAFile holds the authorities that upstreams with scheme https and a DNS name are verified against; by default those of
	// the system.
	CAFile string
	// Deny are networks that no upstream may be in, however its address is written, and whatever a name resolves to when a
	// change is planned and applied; nil stands for link-local ones, where clouds keep their metadata.
	Deny []netip.Prefix
}

// StateOptions say where the engine keeps what is not configuration, for how long, and how safely.
type StateOptions struct {
	// Dir holds the lock, the journal, the history and the ACME webroot; by default /var/lib/proxy-manager.
	Dir          string
	AllowNetwork bool // accept a network file system, where the lock may not exclude other machines
	// LockTimeout is how long to wait for another writer; by default 10 seconds, and negative tries once.
	LockTimeout time.Duration
	Keep        time.Duration // how long the history is kept; by default 7 days
	KeepApplies int           // of how many applies at most; by default 1000
	// KeepBytes is how large the history may be, but for its newest apply: the oldest go first. By default 256 MiB.
	KeepBytes int64
	// NoSync leaves out every fsync: safe against kill -9, not against a power cut. For tests and benchmarks.
	NoSync bool
}

func (o Options) withDefaults() Options {
	fill(&o.Nginx.Bin, "/usr/sbin/nginx")
	fill(&o.Nginx.SitesAvailable, "/etc/nginx/sites-available")
	fill(&o.Nginx.SitesEnabled, "/etc/nginx/sites-enabled")
	fill(&o.Nginx.HTTPPort, 80)
	fill(&o.Nginx.HTTPSPort, 443)
	fill(&o.Nginx.Timeout, time.Minute)
	fill(&o.Certbot.Bin, "/usr/bin/certbot")
	fill(&o.Certbot.ConfigDir, "/etc/letsencrypt")
	fill(&o.Certbot.Timeout, 5*time.Minute)
	fill(&o.Certbot.LockWait, 30*time.Second)
	fill(&o.ACME.DirectoryURL, "https://acme-v02.api.letsencrypt.org/directory")
	fill(&o.ACME.Email, "admin@fullpotential.ai")
	fill(&o.ACME.RenewBefore, 30*24*time.Hour)
	fill(&o.ACME.RenewInterval, 12*time.Hour)
	fill(&o.Upstreams.CheckTimeout, time.Second)
	fill(&o.Upstreams.CheckPath, "/health")
	fill(&o.State.Dir, "/var/lib/proxy-manager")
	fill(&o.State.LockTimeout, 10*time.Second)
	fill(&o.State.Keep, 7*24*time.Hour)
	fill(&o.State.KeepApplies, 1000)
	fill(&o.State.KeepBytes, 256<<20)
	fill(&o.Actor, currentUser())
	if o.Upstreams.Deny == nil {
		o.Upstreams.Deny = []netip.Prefix{netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10")}
	}
	if o.ACME.LookupHost == nil {
		o.ACME.LookupHost = net.DefaultResolver.LookupHost
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FS == nil {
		o.FS = host.OS{}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return newID(o.Clock()) }
	}
	return o
}

func fill[T comparable](p *T, otherwise T) { *p = cmp.Or(*p, otherwise) }

// check cleans the paths, and refuses values out of range by the name of their field.
func (o *Options) check() error {
	for _, p := range []struct {
		name string
		path *string
	}{
		{"Nginx.Bin", &o.Nginx.Bin}, {"Nginx.SitesAvailable", &o.Nginx.SitesAvailable}, {"Nginx.SitesEnabled", &o.Nginx.SitesEnabled},
		{"Certbot.Bin", &o.Certbot.Bin}, {"Certbot.ConfigDir", &o.Certbot.ConfigDir}, {"State.Dir", &o.State.Dir},
	} {
		if !filepath.IsAbs(*p.path) {
			return outOfRange(p.name, *p.path, "an absolute path")
		}
		*p.path = filepath.Clean(*p.path)
	}
	if p := &o.Upstreams.CAFile; *p != "" {
		if !filepath.IsAbs(*p) {
			return outOfRange("Upstreams.CAFile", *p, "an absolute path")
		}
		*p = filepath.Clean(*p)
	}
	const maxPort, longest = 65535, math.MaxInt64
	for _, n := range []struct {
		name               string
		value, least, most int64
		want               string
	}{
		{"Nginx.HTTPPort", int64(o.Nginx.HTTPPort), 1, maxPort, "a port from 1 to 65535"},
		{"Nginx.HTTPSPort", int64(o.Nginx.HTTPSPort), 1, maxPort, "a port from 1 to 65535"},
		{"Nginx.Timeout", int64(o.Nginx.Timeout), 1, longest, "a positive duration"},
		{"Certbot.Timeout", int64(o.Certbot.Timeout), 1, longest, "a positive duration"},
		{"Certbot.LockWait", int64(o.Certbot.LockWait), 1, longest, "a positive duration"},
		{"ACME.RenewBefore", int64(o.ACME.RenewBefore), 1, longest, "a positive duration"},
		{"ACME.RenewInterval", int64(o.ACME.RenewInterval), 1, longest, "a positive duration"},
		{"Upstreams.CheckTimeout", int64(o.Upstreams.CheckTimeout), 1, longest, "a positive duration"},
		{"State.Keep", int64(o.State.Keep), 1, longest, "a positive duration"},
		{"State.KeepApplies", int64(o.State.KeepApplies), 1, longest, "a positive number"},
		{"State.KeepBytes", o.State.KeepBytes, 1, longest, "a positive number"},
	} {
		if n.value < n.least || n.value > n.most {
			return outOfRange(n.name, n.value, n.want)
		}
	}
	for i, address := range o.Nginx.Listen {
		canonical, err := resources.ParseListen(address)
		if err != nil {
			return outOfRange("Nginx.Listen", address, err.Error())
		}
		if i == 0 {
			o.Nginx.Listen = slices.Clone(o.Nginx.Listen)
		}
		o.Nginx.Listen[i] = canonical
	}
	if o.Nginx.HTTPPort == o.Nginx.HTTPSPort {
		return outOfRange("Nginx.HTTPSPort", o.Nginx.HTTPSPort, "another port than Nginx.HTTPPort")
	}
	return nil
}

func outOfRange(name string, value any, want string) error {
	return failf(InvalidInput, nil, "Options.%s is %v, but must be %s", name, value, want).with("field", name).with("constraint", "must be "+want)
}
