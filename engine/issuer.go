package engine

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/fullpotential-ai/proxy-manager/engine/host"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/acme"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certbot"
	"github.com/fullpotential-ai/proxy-manager/engine/internal/certificate"
	"github.com/fullpotential-ai/proxy-manager/resources"
)

// An issuer is the program that gets certificates from a CA and keeps them: the host's is a [certbot.Client].
type issuer interface {
	// Names lists the lineages under names with a prefix, in order.
	Names(o *host.Observer, prefix string) ([]string, error)
	// Lineage looks one up. That there is none is no error.
	Lineage(o *host.Observer, name string) (*certificate.Lineage, error)
	// Obtain returns nil once the certificate is there, anew.
	Obtain(ctx context.Context, order acme.Order) *acme.Failure
	Delete(ctx context.Context, lineage string) *acme.Failure
	// Version is the program's own; an error where it is not there.
	Version(ctx context.Context) (string, error)
}

// newIssuer returns the host's certbot. own is where the own HTTP listener is reached.
func newIssuer(o Options, webroot, own string) issuer {
	s := certbot.Settings{
		Bin: o.Certbot.Bin, ConfigDir: o.Certbot.ConfigDir, WorkDir: o.Certbot.WorkDir, LogsDir: o.Certbot.LogsDir,
		DirectoryURL: o.ACME.DirectoryURL, Webroot: webroot, Timeout: o.Certbot.Timeout, LockWait: o.Certbot.LockWait,
		FS: o.FS, Clock: o.Clock,
	}
	if !o.ACME.SkipPreflight {
		s.Preflight = &acme.Preflight{
			Webroot: webroot, DirectoryURL: o.ACME.DirectoryURL, Own: own,
			FS: o.FS, Sync: !o.State.NoSync, NewID: o.NewID, LookupHost: o.ACME.LookupHost,
		}
	}
	return certbot.New(s)
}

// newMemory returns what is remembered of certificates, in the state directory.
func newMemory(o Options) *acme.Memory {
	return acme.NewMemory(o.FS, filepath.Join(o.State.Dir, "certificates.json"), !o.State.NoSync, o.Logger)
}

// lineage looks one certificate up, through the observer. That there is none is no error.
func (e *Engine) lineage(o *host.Observer, name string) (*certificate.Lineage, error) {
	l, err := e.issuer.Lineage(o, name)
	if err != nil {
		return nil, failf(ConfigReadFailed, err, "")
	}
	return l, nil
}

// lineageNames lists the certificates that are kept under names with a prefix, in order.
func (e *Engine) lineageNames(o *host.Observer, prefix string) ([]string, error) {
	names, err := e.issuer.Names(o, prefix)
	if err != nil {
		return nil, failf(ConfigReadFailed, err, "")
	}
	return names, nil
}

// lineages looks several certificates up, side by side.
func (e *Engine) lineages(o *host.Observer, names []string) ([]*certificate.Lineage, error) {
	list := make([]*certificate.Lineage, len(names))
	err := host.ForEach(len(names), host.Readers, func(i int) (err error) {
		list[i], err = e.lineage(o, names[i])
		return err
	})
	return list, err
}

// due reports whether it is time to renew a certificate.
func (e *Engine) due(l *certificate.Lineage) bool {
	return l.Due(e.opts.Clock(), e.opts.ACME.RenewBefore)
}

// lineageAt is the lineage whose chain has this path: it has a folder of its own, of its name.
func lineageAt(fullchain string) string { return filepath.Base(filepath.Dir(fullchain)) }

// certificateName is the name of a lineage's resource.
func certificateName(lineage string) string { return strings.TrimPrefix(lineage, resources.FilePrefix) }
