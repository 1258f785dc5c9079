package certificate

import "github.com/fullpotential-ai/proxy-manager/resources"

// A Lineage is a certificate through its renewals: a name, and files that stay in their place while what is in them
// changes.
type Lineage struct {
	Name  string
	Files resources.CertificateFiles
	// Pair is what is in the files now.
	Pair
	// Managed: this program had it issued, so this program may renew and delete it.
	Managed bool
	// Server is the directory of the CA that it is from; empty where that is not known.
	Server string
	// Known: it is in the books of the program that keeps it, whatever has become of the files.
	Known bool
}
