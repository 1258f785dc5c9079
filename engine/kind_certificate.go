package engine

import (
	"context"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// A listedCertificate is a [resources.Certificate] as the engine plans it.
type listedCertificate struct{ resources.Certificate }

const certificateKind = "certificate"

func decodeCertificate(b []byte) (Resource, error) {
	c, err := resources.ParseCertificate(b)
	return listedCertificate{c}, err
}

func certificateAddress(name string) string { return certificateKind + "." + name }

// Plan plans a certificate that is listed and that no route has brought with it.
func (c listedCertificate) Plan(_ context.Context, _ *host.Observer, b *Builder) error {
	b.quiet = true // it is counted with all other certificates, see [planCertificates]
	return b.pl.planListed(c.Certificate)
}
