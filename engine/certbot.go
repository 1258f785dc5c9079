package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/child"
	"github.com/fullpotential-ai/proxy-manager/plan"
	"github.com/fullpotential-ai/proxy-manager/resources"
	"github.com/hashicorp/go-version"
)

// oldestCertbot is Debian 11's, and the oldest that changes a lineage's key type when it is told both --key-type and
// --cert-name. Its default key is RSA, newer ones' ECDSA; it is always told which. Tested is 2.1.
var oldestCertbot = version.Must(version.NewVersion("1.12"))

var certbotVersionLine = regexp.MustCompile(`certbot (\d+\.\d+\S*)`)

// A certificateSpec is what the steps about certificates need to know.
type certificateSpec struct {
	Lineage string   `json:"lineage"` // certbot's --cert-name
	Domains []string `json:"domains,omitempty"`
	Email   string   `json:"email,omitempty"`
	KeyType string   `json:"key_type,omitempty"`
	// Insisting: somebody wants it now, and not only because it is due.
	Insisting bool `json:"insisting,omitempty"`
}

// obtainCertificate does the steps issue_certificate and renew_certificate.
func (e *Engine) obtainCertificate(ctx context.Context, step plan.Step) error {
	var spec certificateSpec
	if err := json.Unmarshal(step.Spec, &spec); err != nil {
		return failf(Internal, err, "read the step's spec")
	}
	now, last := e.opts.Clock(), e.issuance().Attempts[spec.Lineage]
	if until := last.allowed(spec.Insisting); now.Before(until) {
		return last.waiting(spec.Lineage, until, now)
	}
	failure := e.obtain(ctx, spec)
	if failure != nil && ctx.Err() != nil {
		return failf(SSLIssuanceFailed, context.Cause(ctx), "%s: stopped", spec.Lineage).with("reason", "stopped")
	}
	now = e.opts.Clock()
	err := e.remember(func(is *issuance) {
		is.Last = &LastOperation{Operation: step.Kind, Certificate: spec.Lineage, At: now.UTC()}
		if failure == nil {
			delete(is.Attempts, spec.Lineage)
			return
		}
		is.Last.Reason = failure.Reason
		is.Attempts[spec.Lineage] = last.failed(now.UTC(), spec.Lineage, failure)
	})
	if err != nil {
		e.log.WarnContext(ctx, "what became of a certificate could not be remembered", "certificate", spec.Lineage, "error", err)
	}
	if failure != nil {
		return failure.failure(spec.Lineage, now)
	}
	return nil
}

// obtain gets one certificate, after everything has been checked that can be without the CA.
func (e *Engine) obtain(ctx context.Context, spec certificateSpec) *obtainError {
	if failure := e.checkCertbot(ctx); failure != nil {
		return failure
	}
	if !e.opts.SkipPreflight {
		if failure := e.preflight(ctx, spec.Domains); failure != nil {
			return failure
		}
	}
	before, err := e.lineage(e.observer(), spec.Lineage)
	if err != nil {
		return &obtainError{Reason: reasonUnknown, Sentence: "certbot's files can't be read", Detail: oneLine(err.Error()), local: true}
	}
	if before.leaf == nil && before.known {
		// certbot takes a lineage that is damaged for none, and would put the new certificate beside it, as NAME-0001.
		if failure := e.certbot(ctx, "delete", "--cert-name="+spec.Lineage); failure != nil {
			return failure
		}
		before = &lineage{name: spec.Lineage}
	}
	left := e.noteLeftovers(spec.Lineage)
	failure := e.certbot(ctx, "certonly", e.issueArgs(spec)...)
	left.clean()
	after, err := e.lineage(e.observer(), spec.Lineage)
	if err == nil && after.covers(spec.Domains) && (before.leaf == nil || serial(before.leaf) != serial(after.leaf)) {
		// The certificate is what counts, also where certbot was stopped on its very last steps.
		return nil
	}
	left.cleanLineage()
	if failure == nil {
		failure = &obtainError{Reason: reasonUnknown, Sentence: "certbot reported success, but " + after.files.Fullchain + " is not the certificate that was asked for"}
	}
	return failure
}

// issueArgs are certonly's arguments. Each value is behind its flag and an equals sign, so that none can become a flag.
func (e *Engine) issueArgs(spec certificateSpec) []string {
	args := []string{
		"--webroot", "--webroot-path=" + e.Webroot(), "--preferred-challenges=http",
		"--server=" + e.opts.ACMEDirectoryURL, "--agree-tos", "--no-eff-email", "--email=" + spec.Email,
		"--cert-name=" + spec.Lineage, "--key-type=" + spec.KeyType,
		// Whether it is time was decided by the plan; certbot's own rule is another in every version.
		"--force-renewal", "--renew-with-new-domains",
	}
	for _, d := range spec.Domains {
		args = append(args, "--domain="+d)
	}
	return args
}

// certbot runs one command of certbot's. While another certbot has the lock it waits, for as long as CertbotLockWait.
func (e *Engine) certbot(ctx context.Context, verb string, args ...string) *obtainError {
	args = append([]string{verb, "--non-interactive", "--config-dir=" + e.opts.CertbotConfigDir}, args...)
	for flag, dir := range map[string]string{"--work-dir=": e.opts.CertbotWorkDir, "--logs-dir=": e.opts.CertbotLogsDir} {
		if dir != "" {
			args = append(args, flag+dir)
		}
	}
	slices.Sort(args[2:])
	temp, err := os.MkdirTemp("", "proxy-manager-certbot-")
	if err != nil {
		return &obtainError{Reason: reasonUnknown, Sentence: "make a temporary directory", Detail: err.Error(), local: true}
	}
	// Where certbot can't open its log it makes a folder for another, and leaves it there.
	defer os.RemoveAll(temp)
	c := child.Command{Path: e.opts.CertbotBin, Args: args, Env: certbotEnv(temp), Timeout: e.opts.CertbotTimeout}
	deadline := time.Now().Add(e.opts.CertbotLockWait)
	for {
		logged := e.certbotLog()
		out, err := c.Run(ctx)
		if err == nil {
			return nil
		}
		failure := e.certbotFailure(out, err, strings.TrimPrefix(e.certbotLog(), logged))
		if failure.Reason != reasonLocked || time.Now().After(deadline) {
			return failure
		}
		select {
		case <-ctx.Done():
			return failure
		case <-time.After(min(2*time.Second, time.Until(deadline)+time.Millisecond)):
		}
	}
}

func (e *Engine) certbotFailure(out string, err error, log string) *obtainError {
	if child.Exited(err) {
		return classifyFailure(out, log, e.opts.Clock().UTC())
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &obtainError{Reason: reasonTimeout, Sentence: fmt.Sprintf("certbot was not done within %s and was stopped", e.opts.CertbotTimeout)}
	}
	return &obtainError{Reason: reasonMissing, Sentence: "certbot can't be run (CERTBOT_BIN)", Detail: oneLine(err.Error()), local: true}
}

// certbotLog returns what is in certbot's log: only there does it tell of the headers of an answer.
func (e *Engine) certbotLog() string {
	dir := e.opts.CertbotLogsDir
	if dir == "" {
		dir = "/var/log/letsencrypt"
	}
	b, err := e.fs.ReadFile(filepath.Join(dir, "letsencrypt.log"))
	if err != nil || len(b) > host.MaxFileSize {
		return ""
	}
	return string(b)
}

// certbotEnv is what certbot needs of the environment, and not what else may be secret in it.
func certbotEnv(temp string) []string {
	env := []string{"TMPDIR=" + temp, "LC_ALL=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range []string{
		"HOME", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// checkCertbot refuses a certbot that is not there or too old, before the CA is asked.
func (e *Engine) checkCertbot(ctx context.Context) *obtainError {
	text, err := e.certbotVersion(ctx)
	if err != nil {
		return &obtainError{Reason: reasonMissing, Sentence: "certbot is not there: install it, or set CERTBOT_BIN", Detail: oneLine(err.Error()), local: true}
	}
	v, err := version.NewVersion(text)
	if err != nil {
		return &obtainError{Reason: reasonMissing, Sentence: "certbot's version can't be read (CERTBOT_BIN)", Detail: oneLine(err.Error()), local: true}
	}
	if v.LessThan(oldestCertbot) {
		return &obtainError{Reason: reasonTooOld, Sentence: fmt.Sprintf("certbot %s is too old: %s is the oldest that is supported", v, oldestCertbot), local: true}
	}
	return nil
}

// certbotVersion returns what certbot says of itself, and asks only when the program has changed.
func (e *Engine) certbotVersion(ctx context.Context) (string, error) {
	info, err := os.Stat(e.opts.CertbotBin)
	if err != nil {
		return "", err
	}
	stamp := fmt.Sprint(e.opts.CertbotBin, " ", info.Size(), " ", info.ModTime().UnixNano())
	e.mu.Lock()
	known := e.certbotKnown
	e.mu.Unlock()
	if known.CertbotStamp != stamp {
		known = e.issuance()
	}
	if known.CertbotStamp != stamp {
		out, err := child.Command{Path: e.opts.CertbotBin, Args: []string{"--version"}, Env: certbotEnv(os.TempDir()), Timeout: 30 * time.Second}.Run(ctx)
		if err != nil {
			return "", err
		}
		m := certbotVersionLine.FindStringSubmatch(out)
		if m == nil {
			return "", fmt.Errorf("its answer to --version has no version: %.80q", out)
		}
		known = issuance{Certbot: m[1], CertbotStamp: stamp}
	}
	e.mu.Lock()
	e.certbotKnown = known
	e.mu.Unlock()
	return known.Certbot, nil
}

// certificateName is the name of a lineage's resource.
func certificateName(lineage string) string { return strings.TrimPrefix(lineage, resources.FilePrefix) }
