package certbot

import (
	"context"
	"slices"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/plain"
)

// Obtain gets one certificate, after everything has been checked that can be without the CA. It returns nil once the
// certificate that was asked for is on disk. After a failure nothing is there that was not before.
func (c *Client) Obtain(ctx context.Context, order acme.Order) *acme.Failure {
	if failure := c.check(ctx); failure != nil {
		return failure
	}
	if c.opts.Preflight != nil {
		if failure := c.opts.Preflight.Check(ctx, order.Domains); failure != nil {
			return failure
		}
	}
	before, err := c.now(order.Lineage)
	if err != nil {
		return &acme.Failure{Reason: acme.Unknown, Sentence: "certbot's files can't be read", Detail: plain.Line(err.Error()), Local: true}
	}
	if before.Leaf == nil && before.Known {
		// certbot takes a lineage that is damaged for none, and would put the new certificate beside it, as NAME-0001.
		if failure := c.delete(ctx, order.Lineage); failure != nil {
			return failure
		}
	}
	left := c.noteLeftovers(order.Lineage)
	failure := c.run(ctx, "certonly", c.certonlyArgs(order)...)
	left.clean()
	after, err := c.now(order.Lineage)
	if err == nil && after.Covers(order.Domains) && isNew(before, after) {
		// The certificate is what counts, also where certbot was stopped on its very last steps.
		return nil
	}
	left.cleanLineage()
	if failure == nil {
		failure = &acme.Failure{Reason: acme.Unknown, Sentence: "certbot reported success, but " + c.files(order.Lineage).Fullchain + " is not the certificate that was asked for"}
	}
	return failure
}

// Delete has certbot delete a lineage, wherever it keeps parts of it.
func (c *Client) Delete(ctx context.Context, lineage string) *acme.Failure {
	if failure := c.check(ctx); failure != nil {
		return failure
	}
	return c.delete(ctx, lineage)
}

func (c *Client) delete(ctx context.Context, lineage string) *acme.Failure {
	return c.run(ctx, "delete", "--cert-name="+lineage)
}

// now looks a lineage up as it is at this moment, whatever was seen before.
func (c *Client) now(name string) (*certificate.Lineage, error) {
	return c.Lineage(host.NewObserver(c.opts.FS, host.NewCache(c.opts.Clock)), name)
}

func isNew(before, after *certificate.Lineage) bool {
	return before.Leaf == nil || certificate.Serial(before.Leaf) != certificate.Serial(after.Leaf)
}

// certonlyArgs are certonly's arguments. Each value is behind its flag and an equals sign, so that none can become a flag.
func (c *Client) certonlyArgs(order acme.Order) []string {
	args := []string{
		"--webroot", "--webroot-path=" + c.opts.Webroot, "--preferred-challenges=http",
		"--server=" + c.opts.DirectoryURL, "--agree-tos", "--no-eff-email", "--email=" + order.Email,
		"--cert-name=" + order.Lineage, "--key-type=" + order.KeyType,
		// Whether it is time was decided by the plan; certbot's own rule is another in every version.
		"--force-renewal", "--renew-with-new-domains",
	}
	for _, d := range slices.Sorted(slices.Values(order.Domains)) {
		args = append(args, "--domain="+d)
	}
	return args
}
