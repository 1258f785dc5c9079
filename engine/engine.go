package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/journal"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/nginx"
)

// An Engine plans and applies changes to one host. It may be used from several goroutines.
type Engine struct {
	opts     Options
	fs       host.FS
	nginx    server
	issuer   issuer
	memory   *acme.Memory
	journals journal.Store
	cache    *host.Cache
	listed   listing
	probed   probed
	steps    map[string]StepKind // by name
	kinds    map[string]kind     // of resources, by name
	order    []kind              // in which kinds are planned
	log      *slog.Logger

	// writing serialises writers of this process in front of the lock that serialises processes.
	writing chan struct{}
	settled bool // the state directory is durable; belongs to whoever is writing

	mu     sync.Mutex
	tested map[string]string // what the files held that nginx -t last accepted
	health map[string]HealthResult
	// What the last handshakes showed, by the chain's path, and which site's turn it was.
	seen     map[string]sighting
	rotation int
	// queue holds the changes that wait; draining says whether somebody is doing them.
	queue    []*change
	draining bool
}

// Open returns an engine. It reads and changes nothing on the host, so it succeeds also where nginx is missing or a
// journal waits for recovery; what needs them says so.
func Open(o Options) (*Engine, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	e := &Engine{
		opts: o, fs: o.FS, log: o.Logger, cache: host.NewCache(o.Clock), seen: map[string]sighting{}, writing: make(chan struct{}, 1),
		nginx:  nginx.New(o.Nginx.Bin, o.Nginx.Conf, o.Nginx.Timeout),
		memory: newMemory(o),
		health: map[string]HealthResult{},
	}
	e.issuer = newIssuer(o, e.Webroot(), e.own(o.Nginx.HTTPPort))
	e.journals = journal.Store{
		FS: o.FS, Dir: o.State.Dir, Places: []string{o.Nginx.SitesAvailable, o.Nginx.SitesEnabled}, Sync: !o.State.NoSync, ManyFiles: 100,
		Program: program(), Kind: e.foreign, Clock: o.Clock, Logger: o.Logger,
	}
	if err := e.knowSteps(); err != nil {
		return nil, err
	}
	return e, e.knowKinds()
}

// knowSteps makes the engine know its own kinds of step and those of the options.
func (e *Engine) knowSteps() error {
	e.steps = map[string]StepKind{}
	for _, k := range e.builtinSteps() {
		e.steps[k.Name()] = k
	}
	for _, k := range e.opts.Kinds {
		if k == nil {
			return failf(InvalidInput, nil, "a step kind is nil (Options.Kinds)")
		}
		_, taken := e.steps[k.Name()]
		if _, ours := kindTraits[k.Name()]; ours || taken {
			return failf(InvalidInput, nil, "two step kinds are named %q (Options.Kinds)", k.Name())
		}
		e.steps[k.Name()] = k
	}
	return nil
}

// program says to people which program this is, so that they know with which one to recover what it has left.
func program() string {
	path, err := os.Executable()
	if err != nil {
		path = os.Args[0]
	}
	return path + " (engine " + Version + ")"
}

func currentUser() string {
	for _, variable := range []string{"SUDO_USER", "USER"} {
		if name := os.Getenv(variable); name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}

// newID returns an id for one apply that sorts by time and can be typed.
func newID(now time.Time) string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return now.UTC().Format("20060102T150405.000000") + "-" + hex.EncodeToString(b[:])
}

// Webroot is the directory that answers ACME challenges on behalf of every route (RFC 8555, section 8.3).
func (e *Engine) Webroot() string { return filepath.Join(e.opts.State.Dir, "acme") }

// webrootDirs are the webroot and the directories in it, each after those above it.
func (e *Engine) webrootDirs() []string {
	challenges := acme.ChallengeDir(e.Webroot())
	return []string{e.Webroot(), filepath.Dir(challenges), challenges}
}

// Options returns the options in force, defaults filled in.
func (e *Engine) Options() Options { return e.opts }

type actorKey struct{}

// WithActor returns a context whose applies are recorded as asked for by actor.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// ActorOf returns who [WithActor] says it is; empty if nobody is said.
func ActorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}

func (e *Engine) actor(ctx context.Context) string { return cmp.Or(ActorOf(ctx), e.opts.Actor) }

func (e *Engine) observer() *host.Observer { return host.NewObserver(e.fs, e.cache) }

// exclusively runs f as the only writer on this host, once an interrupted apply has been recovered.
func (e *Engine) exclusively(ctx context.Context, operation string, f func(ctx context.Context) error) error {
	return e.locked(ctx, operation, func(ctx context.Context) error {
		if _, err := e.recoverLocked(ctx); err != nil {
			return err
		}
		return f(ctx)
	})
}

// locked runs f while no other writer runs, in this process or another.
func (e *Engine) locked(ctx context.Context, operation string, f func(ctx context.Context) error) error {
	select {
	case e.writing <- struct{}{}:
		defer func() { <-e.writing }()
	case <-ctx.Done():
		return failf(Locked, context.Cause(ctx), "gave up waiting for another change of this process to end")
	}
	if err := e.prepareDirs(); err != nil {
		return err
	}
	l, err := acquireLock(ctx, e.opts.State.Dir, e.opts.State.LockTimeout, e.holder(ctx, operation))
	if err != nil {
		return err
	}
	defer l.release()
	return guarded(e.log, operation, func() error { return f(ctx) })
}

func (e *Engine) holder(ctx context.Context, operation string) Holder {
	return Holder{PID: os.Getpid(), Operation: operation, Actor: e.actor(ctx), Since: e.opts.Clock().UTC()}
}

// prepareDirs makes the state directory and refuses directories that others can change things in.
func (e *Engine) prepareDirs() error {
	state := e.opts.State.Dir
	if err := e.makeDirs(); err != nil {
		return failf(ConfigWriteFailed, err, "make the state directory")
	}
	if _, real := e.fs.(host.OS); real && !e.opts.State.AllowNetwork {
		if err := checkLocal(state); err != nil {
			return err
		}
	}
	// What is in a journal is carried out, and whoever writes to the webroot gets certificates for every domain.
	trusted := slices.Concat([]string{e.opts.Nginx.SitesAvailable, e.opts.Nginx.SitesEnabled, state}, e.journals.Dirs(), e.webrootDirs())
	if e.opts.Nginx.Conf != "" {
		trusted = append(trusted, filepath.Dir(e.opts.Nginx.Conf)) // nginx loads modules as it says
	}
	for _, dir := range trusted {
		if err := e.checkOwned(dir); err != nil {
			return err
		}
	}
	return nil
}

// checkLocal refuses a state directory on a network file system, where the lock may not exclude other machines.
func checkLocal(dir string) error {
	err := host.CheckLocal(dir)
	if network, ok := errors.AsType[*host.NetworkError](err); ok {
		return failf(ConfigWriteFailed, nil, "the state directory %s is on %s, where the lock may not exclude other machines: choose a local one, or allow it with --allow-network-state", dir, network.System)
	}
	if err != nil {
		return failf(ConfigReadFailed, err, "look at the state directory %s", dir)
	}
	return nil
}

// makeDirs makes the state directory and what is in it, and makes them durable once, whoever made them: a program that
// was killed may not have come to that, and a journal is lost with its directory.
func (e *Engine) makeDirs() error {
	state := e.opts.State.Dir
	private := e.journals.Dirs()
	// nginx's workers must be able to reach the webroot; the rest is nobody else's business.
	for _, dir := range slices.Concat([]string{state}, private, e.webrootDirs()) {
		perm := fs.FileMode(0o755)
		if slices.Contains(private, dir) {
			perm = 0o700
		}
		made, err := host.MkdirAll(e.fs, dir, perm)
		if err != nil {
			return err
		}
		e.settled = e.settled && !made
	}
	if e.settled || e.opts.State.NoSync {
		return nil
	}
	if err := e.fs.SyncDir(filepath.Dir(state)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	err := e.fs.SyncDir(state)
	e.settled = err == nil
	return err
}

// checkOwned refuses a directory in which somebody else could swap files under our hands.
func (e *Engine) checkOwned(dir string) error {
	err := host.CheckOwned(e.fs, dir)
	if _, untrusted := errors.AsType[*host.TrustError](err); untrusted {
		return failf(ConfigWriteFailed, err, "")
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return failf(ConfigWriteFailed, nil, "the directory %s is not there: create it, or point the settings at the right one", dir)
	case errors.Is(err, syscall.ENOTDIR):
		return failf(ConfigWriteFailed, err, "%s is not a directory", dir)
	default:
		return failf(ConfigReadFailed, err, "look at the directory %s", dir)
	}
}
