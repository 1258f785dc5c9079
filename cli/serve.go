package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine"
	"github.com/fullpotential-ai/proxy-manager/facade"
	"github.com/urfave/cli/v2"
)

func (p *program) serveCommand() *cli.Command {
	return &cli.Command{
		Name: "serve", Category: groupHost, Usage: "answer over HTTP, and renew certificates, until SIGTERM",
		Description: "Listens where PROXY_MANAGER_HOST and PROXY_MANAGER_PORT, or PROXY_MANAGER_LISTEN, say. GET /openapi.json describes the API.\n" +
			"SIGTERM: changes are refused from then on, the one that runs is finished, and a second SIGTERM leaves it to the next start.\n\n" +
			"   proxy-manager serve --port 8100",
		Flags:  []cli.Flag{lockTimeoutOption(), networkStateOption()},
		Action: p.serve,
	}
}

func (p *program) serve(c *cli.Context) error {
	if err := noOperands(c); err != nil {
		return err
	}
	p.limitGarbage()
	logger := p.logger()
	for _, w := range p.settings.warnings {
		logger.WarnContext(c.Context, "settings", "result", "ignored", "error", w)
	}
	o := p.settings.engineOptions()
	o.State.LockTimeout, o.State.AllowNetwork, o.Logger = lockTimeout(c), c.Bool(optNetState), logger
	eng, err := engine.Open(o)
	if err != nil {
		return err
	}
	listener, err := p.listen()
	if err != nil {
		return err
	}
	recoverAtStart(c.Context, eng, logger)
	return serveUntil(c.Context, listener, facade.New(eng, p.facadeOptions(logger)), logger, p.Getenv("NOTIFY_SOCKET"))
}

// limitGarbage has memory collected once there is half as much again as is in use, not twice as much: nearly all of what a
// server holds are the files that it knows, which stay. GOGC, as package runtime has it, goes first.
func (p *program) limitGarbage() {
	if p.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

func (p *program) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(p.settings.LogLevel)) // has passed the settings' own check
	return facade.NewLogger(p.Err, level, p.settings.LogFormat)
}

func (p *program) facadeOptions(logger *slog.Logger) facade.Options {
	s := p.settings
	return facade.Options{
		TokenFile: s.TokenFile, AllowedHosts: append([]string{s.Host}, s.AllowedHosts...), RegistryURL: s.RegistryURL, OrchestratorURL: s.OrchestratorURL,
		AutoIssueSSL: s.AutoIssueSSL, Logger: logger,
		Identity: facade.Identity{ServiceName: s.ServiceName, DropletID: s.DropletID, Environment: s.Environment},
	}
}

// recoverAtStart undoes what a killed process has left, and disables a route that keeps nginx from starting. If that fails
// the server starts all the same: health says so, and every change tries again.
func recoverAtStart(ctx context.Context, eng *engine.Engine, logger *slog.Logger) {
	interrupted, err := eng.Interrupted()
	if err != nil || (!interrupted && !refused(eng.TestConfig(ctx))) {
		return // nothing to write, so that no lock is needed and none waited for
	}
	found, err := eng.Recover(ctx)
	switch {
	case err != nil:
		logger.ErrorContext(ctx, "recover", "result", "failed", "error_code", engine.CodeOf(err), "error", err)
	case found != nil:
		logger.WarnContext(ctx, "recover", "result", "recovered", "found", found.String())
	}
}

// refused reports whether an error is nginx's refusal of its configuration, and not that there is no nginx to ask.
func refused(err error) bool {
	failure, ok := errors.AsType[*engine.Error](err)
	return ok && failure.Details["nginx_output"] != nil
}

const (
	// A body that takes longer is not worth the connection; certbot's minutes are spent after it has been read.
	readTimeout       = time.Minute
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 64 << 10

	// changePatience is how long a stop waits for the change that runs: longer, and it is undone.
	changePatience = 60 * time.Second
	answerPatience = 5 * time.Second
)

// serveUntil serves until ctx ends, and then until what runs has ended in good order.
func serveUntil(ctx context.Context, l net.Listener, api *facade.Server, logger *slog.Logger, notifySocket string) error {
	server := &http.Server{
		Handler: api, ReadTimeout: readTimeout, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		// What broken clients do is no error of ours.
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		// "OPTIONS *" is asked for a token, as everything else is.
		DisableGeneralOptionsHandler: true,
	}
	background, endBackground := context.WithCancel(context.WithoutCancel(ctx))
	loops := make(chan struct{})
	go func() { defer close(loops); api.Run(background) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	logger.InfoContext(ctx, "serve", "result", "listening", "address", l.Addr().String())
	notify(notifySocket, "READY=1")

	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
	}
	notify(notifySocket, "STOPPING=1")
	logger.InfoContext(ctx, "serve", "result", "stopping")
	endBackground()
	drain(ctx, api, server)
	<-loops
	if err == nil {
		err = <-served // by then the socket is closed, and a unix socket's file gone
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return &engine.Error{Code: engine.Internal, Message: "serve ended", Err: err}
	}
	logger.InfoContext(ctx, "serve", "result", "stopped")
	return nil
}

// drain first ends the changes, while whoever asks for another is still told that there are none any more, and then
// the connections.
func drain(ctx context.Context, api *facade.Server, server *http.Server) {
	ctx = context.WithoutCancel(ctx)
	changes, cancel := context.WithTimeout(ctx, changePatience)
	defer cancel()
	api.Drain(changes)
	answers, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	if server.Shutdown(answers) != nil {
		_ = server.Close()
	}
}

// notify tells systemd how the service is (sd_notify(3)); without it there is nobody to tell.
func notify(socket, state string) {
	if socket == "" {
		return
	}
	c, err := net.Dial("unixgram", socket) // a name that begins with @ is abstract to both systemd and Go
	if err != nil {
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}
