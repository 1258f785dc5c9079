package engine

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/plan"
)

// A certificateSpec is what the steps about certificates need to know.
type certificateSpec struct {
	Lineage string   `json:"lineage"`
	Domains []string `json:"domains,omitempty"`
	Email   string   `json:"email,omitempty"`
	KeyType string   `json:"key_type,omitempty"`
	// Asked: somebody wants it, and not only the program itself because it is due.
	Asked bool `json:"asked,omitempty"`
}

func readCertificateSpec(step plan.Step) (certificateSpec, error) {
	var spec certificateSpec
	if err := json.Unmarshal(step.Spec, &spec); err != nil {
		return spec, failf(Internal, err, "read the step's spec")
	}
	return spec, nil
}

func (s certificateSpec) order() acme.Order {
	return acme.Order{Lineage: s.Lineage, Domains: s.Domains, Email: s.Email, KeyType: s.KeyType}
}

// obtainCertificate does the steps issue_certificate and renew_certificate.
func (e *Engine) obtainCertificate(ctx context.Context, step plan.Step) error {
	spec, err := readCertificateSpec(step)
	if err != nil {
		return err
	}
	if err := e.checkIssuersFiles(); err != nil {
		return withReason(failf(SSLIssuanceFailed, err, "%s", spec.Lineage), "permissions")
	}
	now, last := e.opts.Clock(), e.memory.Attempts()[spec.Lineage]
	if until := last.Allowed(spec.Asked); now.Before(until) {
		return tooEarly(spec.Lineage, last, until, now)
	}
	failure := e.issuer.Obtain(ctx, spec.order())
	if failure != nil && ctx.Err() != nil {
		return stoppedIssuing(spec.Lineage, context.Cause(ctx))
	}
	now = e.opts.Clock()
	e.warnForgotten(ctx, spec.Lineage, e.memory.Obtained(step.Kind, spec.Lineage, now, failure))
	if failure != nil {
		return notIssued(spec.Lineage, failure, now)
	}
	return nil
}

// checkIssuersFiles refuses certbot's directory if others can write there: certbot carries out what they put into it.
func (e *Engine) checkIssuersFiles() error {
	err := host.CheckOwned(e.fs, e.opts.Certbot.ConfigDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // certbot makes it
	}
	return err
}

// warnForgotten tells of what could not be remembered. That is no reason to fail: the certificate is what counts.
func (e *Engine) warnForgotten(ctx context.Context, lineage string, err error) {
	if err != nil {
		e.log.WarnContext(ctx, "what became of a certificate could not be remembered", "certificate", lineage, "error", err)
	}
}
