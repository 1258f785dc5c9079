package acme

import (
	"cmp"
	"time"
)

// A Reason says in one word why a certificate could not be had. Programs have further ones, of their own troubles.
type Reason string

const (
	DNS          Reason = "dns"            // a name does not resolve, or not to this host
	Connection   Reason = "connection"     // nobody answers at the name's address
	Unauthorized Reason = "unauthorized"   // somebody else answers there, or with something else
	CAA          Reason = "caa"            // the domain's CAA records forbid this CA
	Rejected     Reason = "rejected"       // the CA does not issue for such a name
	RateLimited  Reason = "rate_limited"   // the CA has had enough for now
	Account      Reason = "account"        // the CA does not accept the account or its address
	Unreachable  Reason = "ca_unreachable" // the CA does not answer, or not as a CA
	Timeout      Reason = "timeout"        // the program was not done in time
	Unknown      Reason = "unknown"
)

// A Failure says why a certificate could not be had, or not be deleted.
type Failure struct {
	Reason   Reason
	Sentence string // what to do about it
	Detail   string // in the words of the program or the CA, one line; may be empty
	// RetryAt is when the CA is ready to be asked again, by its own word; zero where it gave none.
	RetryAt time.Time
	// Local: the CA was not asked. It counts no failure, so another attempt costs nothing.
	Local bool
}

func (f *Failure) Error() string {
	if f.Detail == "" {
		return f.Sentence
	}
	return f.Sentence + ": " + f.Detail
}

// problems are the error types of RFC 8555, section 6.7, by the reason they come to here.
var problems = map[string]Reason{
	"rateLimited":        RateLimited,
	"rejectedIdentifier": Rejected, "unsupportedIdentifier": Rejected,
	"caa": CAA, "dns": DNS, "connection": Connection,
	"accountDoesNotExist": Account, "invalidContact": Account, "unsupportedContact": Account,
	"externalAccountRequired": Account, "userActionRequired": Account, "unauthorized": Account,
	"serverInternal": Unreachable,
}

// ReasonOf returns the reason that a CA's error comes to, by its type without the prefix urn:ietf:params:acme:error. It is
// the error of a whole request: that of one challenge has other types.
func ReasonOf(problem string) Reason { return cmp.Or(problems[problem], Unknown) }
