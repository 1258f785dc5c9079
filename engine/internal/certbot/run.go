package certbot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
)

// run runs one command of certbot's. While another certbot has the lock it waits, for as long as LockWait.
func (c *Client) run(ctx context.Context, verb string, args ...string) *acme.Failure {
	temp, err := os.MkdirTemp("", "proxy-manager-certbot-")
	if err != nil {
		return &acme.Failure{Reason: acme.Unknown, Sentence: "make a temporary directory", Detail: err.Error(), Local: true}
	}
	// Where certbot can't open its log it makes a folder for another, and leaves it there.
	defer os.RemoveAll(temp)
	cmd := child.Command{Path: c.opts.Bin, Args: c.args(verb, args), Env: environment(temp), Timeout: c.opts.Timeout}
	deadline := time.Now().Add(c.opts.LockWait)
	for {
		logged := c.log()
		out, err := cmd.Run(ctx)
		if err == nil {
			return nil
		}
		failure := c.failure(out, err, strings.TrimPrefix(c.log(), logged))
		if failure.Reason != locked || time.Now().After(deadline) {
			return failure
		}
		select {
		case <-ctx.Done():
			return failure
		case <-time.After(min(2*time.Second, time.Until(deadline)+time.Millisecond)):
		}
	}
}

// args are a command's arguments: its verb, what is the same for all commands, and its own.
func (c *Client) args(verb string, args []string) []string {
	args = append([]string{"--non-interactive", "--config-dir=" + c.opts.ConfigDir}, args...)
	if c.opts.WorkDir != "" {
		args = append(args, "--work-dir="+c.opts.WorkDir)
	}
	if c.opts.LogsDir != "" {
		args = append(args, "--logs-dir="+c.opts.LogsDir)
	}
	return append([]string{verb}, args...)
}

// failure says why certbot failed: in its own words, where it came to have any.
func (c *Client) failure(out string, err error, log string) *acme.Failure {
	if child.Exited(err) {
		return classify(out, log, c.opts.Clock().UTC())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &acme.Failure{Reason: acme.Timeout, Sentence: fmt.Sprintf("certbot was not done within %s and was stopped", c.opts.Timeout)}
	}
	return &acme.Failure{Reason: missing, Sentence: "certbot can't be run (CERTBOT_BIN)", Detail: plain.Line(err.Error()), Local: true}
}

// log returns what is in certbot's log: only there does it tell of the headers of an answer.
func (c *Client) log() string {
	dir := c.opts.LogsDir
	if dir == "" {
		dir = "/var/log/letsencrypt"
	}
	b, err := c.opts.FS.ReadFile(filepath.Join(dir, "letsencrypt.log"))
	if err != nil || len(b) > host.MaxFileSize {
		return ""
	}
	return string(b)
}

// passed are the variables of our own environment that certbot needs: where its home is, whom to trust, and which way
// leads out.
var passed = []string{
	"HOME", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}

// environment is what certbot needs of the environment, and not what else may be secret in it.
func environment(temp string) []string {
	env := []string{"TMPDIR=" + temp, "LC_ALL=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
