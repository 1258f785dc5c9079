package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends at the first SIGINT, SIGTERM or SIGHUP.
//
// From then on SIGINT and SIGTERM do what they do by default, so that the second ends the process at once. SIGHUP never does,
// up to the end of the process: a session that is lost sends several. A closed pipe is an error of the write, and no signal
// that ends the process.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), append(heeded(syscall.SIGINT, syscall.SIGHUP), syscall.SIGTERM)...)
	context.AfterFunc(ctx, stop)
	// Nobody receives these; that somebody is told of them is what keeps package os/signal from ending the process.
	signal.Notify(make(chan os.Signal, 1), append(heeded(syscall.SIGHUP), syscall.SIGPIPE)...)
	return ctx, stop
}

// heeded leaves out the signals that whoever started the process has had ignored, as nohup and a shell's "&" do.
func heeded(signals ...os.Signal) []os.Signal {
	var list []os.Signal
	for _, s := range signals {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}
