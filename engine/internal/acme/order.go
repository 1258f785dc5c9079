package acme

// An Order is what the CA is asked for.
type Order struct {
	Lineage string // the name under which the certificate is kept
	Domains []string
	Email   string // of the account
	KeyType string // "ecdsa" or "rsa"
}
